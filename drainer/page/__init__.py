"""The page to look at: what it remembers (`record`, pure), how it is put together (`sheet`), how it is served (`live`).

`page.html`, `page.css`, `charts.js` and `page.js` become one document that asks nobody for anything but its stream.
"""
