"""Files of torch.save against torch.load, and damaged ones."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
import torch

from tests.models.published import saved_bytes, with_pickle
from tutorial_lib.models import unpickle as module
from tutorial_lib.models.pickles import Made, Stored, UnreadableError
from tutorial_lib.models.unpickle import tensors_of_module, unpickle

WHOLE = torch.arange(24, dtype=torch.float32).reshape(4, 6)
TENSORS = {
    "whole": WHOLE,
    "a view": WHOLE[1:3, ::2],
    "turned": WHOLE.T,
    "expanded": torch.ones(1, 3).expand(4, 3),
    "empty": torch.zeros(0, 3),
    "a number": torch.tensor(7),
    "a parameter": torch.nn.Parameter(torch.ones(2)),
    "channels last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    **{str(t): torch.ones(3, dtype=t) for t in (torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool)},
    **{str(t): torch.arange(3, dtype=t) for t in (torch.uint8, torch.int16, torch.int32, torch.int64)},
}


def write(path: Path, content: object, **options: object) -> Path:
    torch.save(content, path, **options)
    return path


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_those_that_torch_reads(zipped: bool, tmp_path: Path) -> None:
    path = write(tmp_path / "t.pt", {"w": TENSORS, "epoch": 3}, _use_new_zipfile_serialization=zipped)
    found = unpickle(path)
    assert found.content["epoch"] == 3
    assert not found.torchscript
    stored = found.content["w"]
    assert all(isinstance(s, Stored) for s in stored.values())
    read, expected = found.tensors(stored), torch.load(path, weights_only=True)["w"]
    assert read.keys() == expected.keys() == TENSORS.keys()
    for name, tensor in expected.items():
        assert torch.equal(read[name], tensor), name
        assert read[name].dtype == tensor.dtype
        assert stored[name].shape == tensor.shape


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    """A damaged optimizer costs nothing."""
    path = write(tmp_path / "t.pt", {"w": torch.ones(5), "optimizer": torch.zeros(1000)})
    body = bytearray(path.read_bytes())
    at = body.index(bytes(4000))
    body[at + 100] = 1
    path.write_bytes(body)
    found = unpickle(path)
    assert torch.equal(found.tensors({"w": found.content["w"]})["w"], torch.ones(5))
    with pytest.raises(UnreadableError, match="is damaged: Bad CRC-32"):
        found.tensors({"o": found.content["optimizer"]})


def test_kinds_of_tensors_that_no_model_has_are_inert(tmp_path: Path) -> None:
    odd = {"sparse": torch.eye(2).to_sparse(), "quantized": torch.quantize_per_tensor(torch.ones(2), 1, 0, torch.qint8)}
    found = unpickle(write(tmp_path / "t.pt", odd | {"complex": torch.zeros(1, dtype=torch.complex64)}))
    assert all(isinstance(value, Made) for value in found.content.values())


def edited(path: Path, **changed: bytes | None) -> Path:
    """An archive with other records, or without some."""
    new = path.with_name("edited.pt")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(new, "w") as archive:
        for info in old.infolist():
            name = info.filename.partition("/")[2]
            body = changed.get(name.replace("/", "_").replace(".", "_"), old.read(info))
            if body is not None:
                archive.writestr(info.filename, body)
    return new


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.pt", {"w": torch.ones(5)})

    def read(file: Path) -> None:
        found = unpickle(file)
        found.tensors(found.content)

    def said(file: Path) -> str:
        with pytest.raises(UnreadableError) as error:
            read(file)
        return str(error.value)

    assert "the numbers of a tensor are missing" in said(edited(path, data_0=None))
    assert "longer than what is stored of it" in said(edited(path, data_0=b"1234"))
    assert "another order of bytes" in said(edited(path, byteorder=b"big"))
    assert "not one of torch.save: it holds t/" in said(edited(path, data_pkl=None))
    assert "is damaged" in said(edited(path, data_pkl=b""))
    for keep in (10, 200, 600):
        (tmp_path / "short.pt").write_bytes(path.read_bytes()[:keep])
        assert said(tmp_path / "short.pt") == "ends early: fetch it again"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "z.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    assert "was compressed after torch.save wrote it" in said(tmp_path / "z.pt")
    with zipfile.ZipFile(tmp_path / "arrays.pt", "w") as archive:
        archive.writestr("w.npy", b"")
    assert "not one of torch.save: it holds NumPy arrays" in said(tmp_path / "arrays.pt")
    (tmp_path / "noise.pt").write_bytes(b"noise" * 100)
    assert "is no file of weights" in said(tmp_path / "noise.pt")


def test_damaged_files_from_before_1_6_are_named(tmp_path: Path) -> None:
    path = write(tmp_path / "t.pt", {"w": torch.ones(500)}, _use_new_zipfile_serialization=False)
    body = path.read_bytes()
    (tmp_path / "short.pt").write_bytes(body[:-10])
    with pytest.raises(UnreadableError, match="ends early"):
        unpickle(tmp_path / "short.pt")
    (tmp_path / "other.pt").write_bytes(b"\x80\x02K\x01.")
    with pytest.raises(UnreadableError, match=r"a pickle, but not one of torch\.save"):
        unpickle(tmp_path / "other.pt")


def test_what_describes_the_tensors_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.pt", {str(k): k for k in range(1000)})
    monkeypatch.setattr(module, "LONGEST_PICKLE", 1000)
    with pytest.raises(UnreadableError, match=r"holds t/data.pkl of 0 MiB, too much to be read"):
        unpickle(path)


def test_a_bomb_of_zeros_is_not_unpacked(tmp_path: Path) -> None:
    source = write(tmp_path / "t.pt", {"w": torch.ones(5)})
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, bytes(1 << 27) if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(UnreadableError, match="128 MiB, too much to be read"):
        unpickle(tmp_path / "bomb.pt")


def test_a_module_that_holds_itself_ends(tmp_path: Path) -> None:
    net = Made("__torch__.Net")
    net.state = {"a": net, "b": net}
    with pytest.raises(UnreadableError, match="more parts than a model has"):
        tensors_of_module(net)
    with pytest.raises(UnreadableError, match="without a module"):
        tensors_of_module({})


def test_another_pickle_in_an_archive_is_only_data(tmp_path: Path) -> None:
    source = write(tmp_path / "t.pt", {"w": torch.ones(5)})
    path = with_pickle(source, tmp_path / "u.pt", b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR.")
    made = unpickle(path).content
    assert (made.name, made.args) == ("os.system", ("ls",))
    assert zipfile.is_zipfile(io.BytesIO(saved_bytes({})))
