"""`drainer inject` in this process: files, exit codes, and what is written where."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from drainer.cli import Exit, main
from drainer.commands.output import Changed, show_diff
from tests.process.terminal import on_a_terminal
from tests.unit.inject.golden import FOLDER

Said = pytest.CaptureFixture[str]
GIVEN = (FOLDER / "plain.input.yaml").read_text()
FLAGS = ("--native", "no", "--close", "websocket,reset", "--websocket-ports", "8080")
GOLDEN = (FOLDER / "plain.golden.yaml").read_text()
API = ("--kubernetes", "on", "--rbac")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pod.yaml"
    path.write_text(GIVEN)
    return path


def inject(*arguments: str) -> Exit:
    return main(["inject", *arguments], [])


def test_a_file_is_printed_with_the_sidecar_and_the_report_goes_to_standard_error(file: Path, capsys: Said) -> None:
    assert inject("-f", str(file), *FLAGS) is Exit.OK
    said = capsys.readouterr()
    assert said.out == GOLDEN
    assert said.err.startswith(f"{file}: Pod old: injected: app ports 8080, grace period 45 s\n    plain: ")
    assert file.read_text() == GIVEN


def test_out_again(file: Path, capsys: Said) -> None:
    file.write_text(GOLDEN)
    assert inject("-f", str(file), "--uninject") is Exit.OK
    said = capsys.readouterr()
    assert said.out == GIVEN
    assert said.err == f"{file}: Pod old: removed\n"


def test_resources_are_given_as_kubectl_set_resources_takes_them(file: Path, capsys: Said) -> None:
    assert inject("-f", str(file), "--requests", "cpu=50m,memory=64Mi", "--limits=cpu=200m,memory=128Mi") is Exit.OK
    out = capsys.readouterr().out
    assert "requests:\n        cpu: 50m\n        memory: 64Mi\n" in out
    assert "limits:\n        memory: 128Mi\n        cpu: 200m\n" in out


def test_a_report_for_programs(file: Path, capsys: Said) -> None:
    assert inject("-f", str(file), "--report", "json") is Exit.OK
    (entry,) = json.loads(capsys.readouterr().err)["objects"]
    assert (entry["file"], entry["kind"], entry["name"], entry["outcome"]) == (str(file), "Pod", "old", "injected")


def test_a_diff_is_printed_and_its_exit_code_says_whether_there_is_one(file: Path, capsys: Said) -> None:
    assert inject("-f", str(file), "--diff", *FLAGS) is Exit.FINDINGS
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"--- {file}", f"+++ {file}"]
    assert '+    drainer.dev/injected: "0.1.0"' in lines
    assert not any(line.startswith("-") for line in lines[2:])
    file.write_text(GOLDEN)
    assert inject("-f", str(file), "--diff", *FLAGS) is Exit.OK
    assert capsys.readouterr().out == ""


def test_a_last_line_without_its_end_is_said_in_a_diff(capsys: Said) -> None:
    show_diff([Changed("f", "a", "b", ())])
    assert capsys.readouterr().out.splitlines() == [
        *("--- f", "+++ f", "@@ -1 +1 @@", "-a", "\\ No newline at end of file", "+b", "\\ No newline at end of file")
    ]


def test_a_diff_has_colours_on_a_terminal_unless_they_are_not_wanted(file: Path) -> None:
    command = [sys.executable, "-m", "drainer", "inject", "--diff", "-f", str(file)]
    code, screen = on_a_terminal(command)
    assert code == Exit.FINDINGS
    assert f"\x1b[1m--- {file}\x1b[m\r\n" in screen
    assert "\x1b[36m@@ -" in screen
    assert '\x1b[32m+    drainer.dev/injected: "0.1.0"\x1b[m\r\n' in screen
    assert "\n kind: Pod" not in screen.replace("\r", "").partition("@@")[0]
    assert "\x1b" not in on_a_terminal(command, NO_COLOR="1")[1]


def test_the_name_of_a_file_need_not_be_utf_8(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.yaml"
    Path(os.fsdecode(path)).write_text(GIVEN)
    ended = subprocess.run(
        [sys.executable, "-m", "drainer", "inject", "--diff", "-f", path], capture_output=True, check=False
    )
    assert ended.returncode == Exit.FINDINGS
    assert ended.stdout.startswith(b"--- " + path + b"\n")
    assert b"udcff.yaml: Pod old: injected" in ended.stderr


def test_several_files_become_one_stream(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "a.yaml").write_text("kind: A")
    (tmp_path / "b.yaml").write_text("---\nkind: B\n")
    (tmp_path / "c.yaml").write_text("kind: C\n")
    assert inject("-f", str(tmp_path)) is Exit.OK
    assert capsys.readouterr().out == "kind: A\n---\nkind: B\n---\nkind: C\n"
    for path in tmp_path.iterdir():
        path.unlink()
    (tmp_path / "a.json").write_text('{"kind": "A"}')
    (tmp_path / "b.json").write_text('{"kind": "B"}\n')
    assert inject("-f", str(tmp_path)) is Exit.OK
    assert capsys.readouterr().out == '{"kind": "A"}\n{"kind": "B"}\n'


@pytest.mark.parametrize("content", [GIVEN, '{"kind": "Pod", "spec": {"containers": [{"name": "a"}]}}'])
def test_a_byte_order_mark_goes_in_and_out_and_stands_in_the_middle_of_no_stream(
    content: str, tmp_path: Path, capsys: Said
) -> None:
    marked, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    for path in (marked, other):
        path.write_text("\ufeff" + content)
    assert inject("-i", "-f", str(marked), *FLAGS, "--app-ports", "8080") is Exit.OK
    assert marked.read_text().startswith("\ufeff" + content[:10])
    assert marked.read_text() != other.read_text()
    assert inject("-i", "-f", str(marked), "--uninject") is Exit.OK
    assert marked.read_bytes() == other.read_bytes()
    assert inject("-f", str(marked), "-f", str(other), "--uninject") is Exit.OK
    out = capsys.readouterr().out
    assert out.startswith("\ufeff")
    assert out.count("\ufeff") == 1
    assert ("---" in out) == (content == GIVEN)


def test_files_are_written_in_place_whole_with_their_rights_and_through_links(tmp_path: Path, capsys: Said) -> None:
    target, other = tmp_path / "elsewhere" / "pod.yaml", tmp_path / "service.yaml"
    target.parent.mkdir()
    target.write_text(GIVEN)
    target.chmod(0o640)
    other.write_text("kind: Service\n")
    before = other.stat().st_ino
    link = tmp_path / "link.yaml"
    link.symlink_to(target)
    assert inject("--in-place", "-f", str(tmp_path), *FLAGS) is Exit.OK
    assert capsys.readouterr().out == ""
    assert target.read_text() == GOLDEN
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert other.stat().st_ino == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "link.yaml", "service.yaml"]
    assert [path.name for path in target.parent.iterdir()] == ["pod.yaml"]


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_where_one_file_cannot_be_written_none_is(tmp_path: Path, capsys: Said) -> None:
    good = tmp_path / "pod.yaml"
    good.write_text(GIVEN)
    # A descriptor's own name: it can be read, and nothing can be made beside it.
    reader, writer = os.pipe()
    os.write(writer, GIVEN.encode())
    os.close(writer)
    try:
        assert inject("-i", "-f", str(good), "-f", f"/proc/self/fd/{reader}", *FLAGS) is Exit.FAILURE
    finally:
        os.close(reader)
    assert "cannot be written" in capsys.readouterr().err
    assert good.read_text() == GIVEN
    assert [path.name for path in tmp_path.iterdir()] == ["pod.yaml"]


def test_the_role_is_printed_behind_the_stream_or_alone(file: Path, capsys: Said) -> None:
    file.write_text(GIVEN.replace("name: old", "name: old\n  namespace: shop"))
    assert inject("-f", str(file), *API) is Exit.OK
    stream = capsys.readouterr().out
    objects = stream[stream.index("---\napiVersion: rbac") :]
    assert [line for line in objects.splitlines() if line.startswith("kind:")] == [
        "kind: Role",
        "kind: RoleBinding",
        "kind: ValidatingAdmissionPolicy",
        "kind: ValidatingAdmissionPolicyBinding",
    ]
    assert inject("-i", "-f", str(file), *API) is Exit.OK
    assert capsys.readouterr().out == objects
    assert inject("-f", str(file), "--rbac") is Exit.OK
    assert "kind: Role" not in capsys.readouterr().out


def test_the_role_is_json_where_the_stream_is(tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "pod.json"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    pod |= {"spec": {"containers": [{"name": "app", "ports": [{"containerPort": 1}]}]}}
    file.write_text(json.dumps({"kind": "List", "items": [pod, pod]}))
    assert inject("-f", str(file), *API, "-n", "shop") is Exit.OK
    decoder, text, kinds = json.JSONDecoder(), capsys.readouterr().out, []
    while text.strip():
        data, end = decoder.raw_decode(text)
        kinds.append(data["kind"])
        text = text[end:].lstrip()
    assert kinds == ["List", "Role", "RoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--settle", "soon"], "--settle='soon' cannot be used; allowed: a length of time"),
        (["--app-ports", "0"], "--app-ports='0' cannot be used; allowed: 1 to 256 ports"),
        (["--grace-period", "1.5"], "--grace-period='1.5' cannot be used; allowed: whole seconds"),
        (["--grace-period", "off"], "--grace-period='off' cannot be used; allowed: whole seconds"),
        (["--token", " \x07hunter2"], "--token=(not shown) cannot be used"),
        (["--limits", "cpu=lots"], "--limits='cpu=lots' cannot be used; allowed: some of cpu, memory"),
        (["--requests", "memory=1Gi"], "requests memory=1Gi is more than limits memory=96Mi; allowed: at most as much"),
        (["--image", ""], "--image='' cannot be used; allowed: an image's reference"),
        (["--image", "a b"], "--image='a b' cannot be used"),
        (["--image", "\udcff"], "--image='\\udcff' cannot be used"),
        (["--close", "notify"], "DRAINER_NOTIFY_URL is not set, and DRAINER_CLOSE names notify"),
        (["-i", "-f", "-"], "--in-place cannot write to standard input"),
        (["--rbac", "--diff"], "--rbac cannot be used together with --diff or --uninject"),
        (["--rbac", "--uninject"], "--rbac cannot be used together with --diff or --uninject"),
        (["--kubernetes", "on", "--rbac"], "service account default: its namespace is not known"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    arguments: list[str], said: str, file: Path, capsys: Said
) -> None:
    assert inject("-f", str(file), *arguments) is Exit.USAGE
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("drainer: ")
    assert said in output.err
    assert "hunter2" not in output.err
    assert file.read_text() == GIVEN


def test_mistakes_of_all_flags_and_of_all_files_are_told_at_once(tmp_path: Path, capsys: Said) -> None:
    assert inject("-f", "/nowhere", "--settle", "soon", "--port", "0", "--image", "") is Exit.USAGE
    assert len(capsys.readouterr().err.splitlines()) == 3
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(
            GIVEN.replace("  name: old", '  name: old\n  annotations: {drainer.dev/settle: "x"}')
        )
    assert inject("-f", str(tmp_path)) is Exit.USAGE
    assert [line.partition(": Pod old: ")[0] for line in capsys.readouterr().err.splitlines()] == [
        f"drainer: {tmp_path}/{name}" for name in ("a.yaml", "b.yaml")
    ]


def test_what_is_no_manifest_is_said_with_its_place_and_nothing_is_written(tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "a.yaml").write_text(GIVEN)
    (tmp_path / "b.yaml").write_text("---\nkind: [\n")
    assert inject("-f", str(tmp_path)) is Exit.FAILURE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"drainer: {tmp_path}/b.yaml:3:1: is not YAML: ")


def test_help_lists_every_flag(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as ended:
        inject("--help")
    assert ended.value.code == 0
    text = capsys.readouterr().out
    for flag in (
        "--uninject",
        "--diff",
        "--app-ports",
        "--grace-period",
        "--close",
        "--serving-label",
        "--mesh",
        "--limits",
    ):
        assert flag in text
    for flag in ("--node-ip", "--token-file", "--service-account", "--host"):
        assert flag not in text
