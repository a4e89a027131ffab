"""For each check pods that it must find, and pods that look alike and are well: edits by key."""
