"""What kind of checkpoint it is that cannot be read, and what to give: by the names and shapes of its weights."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from tutorial_lib.models import architecture
from tutorial_lib.models.architecture import CONVERT
from tutorial_lib.models.tokenizer import FULL_VOCAB

#: Shapes of weights by name.
Shapes = Mapping[str, tuple[int, ...]]
#: How files that hold no weights begin.
_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the weights: run `git lfs pull` where it was cloned"),
    (b"\x1f\x8b", "is compressed with gzip: unpack it"),
    (b"BZh", "is compressed with bzip2: unpack it"),
    (b"\xfd7zXZ", "is compressed with xz: unpack it"),
    (b"7z\xbc\xaf", "is a 7z archive: unpack it"),
    (b"Rar!", "is a RAR archive: unpack it"),
    (b"\x89HDF", "is an HDF5 file, as Keras writes: only weights for PyTorch are read"),
    (b"GGUF", "is a GGUF file: only weights for PyTorch are read"),
    (b"\x93NUMPY", "is a NumPy array: only weights for PyTorch are read"),
    (b"{", "is JSON, not weights: give the folder that it lies in, or the file of the weights"),
)


def other_file(path: Path) -> str:
    """What a file is that cannot hold weights, in words that go on after its name; empty where it may hold some.

    Example:
        >>> _ = Path("page.pt").write_text("<!DOCTYPE html><title>404</title>", encoding="utf-8")
        >>> other_file(Path("page.pt"))
        'is a web page, not weights: its address has moved or wants a login; fetch it anew'
    """
    with path.open("rb") as file:
        begin = file.read(512)
    if not begin:
        return "is empty: fetch it again"
    if begin.lstrip()[:9].lower() in (b"<!doctype", b"<html>") or begin.lstrip()[:5].lower() in (b"<html", b"<?xml"):
        return "is a web page, not weights: its address has moved or wants a login; fetch it anew"
    if begin[257:262] == b"ustar":
        return "is a tar archive: unpack it"
    return next((what for beginning, what in _BEGINNINGS if begin.startswith(beginning)), "")


def _any(*parts: str) -> Callable[[Collection[str]], bool]:
    return lambda names: any(name.startswith(parts) for name in names)


#: By what its weights' names show, what a checkpoint seems to be; the first that fits.
_KINDS: tuple[tuple[Callable[[Collection[str]], bool], str], ...] = (
    (_any("text_decoder."), "a CoCa model, whose captioning loss and decoder are not supported"),
    (
        lambda names: _any("vision_model.")(names) and "logit_bias" in names,
        "a SigLIP model of Hugging Face transformers, whose sigmoid loss and own tokenizer are not supported",
    ),
    (
        lambda names: _any("vision_model.")(names) and _any("text_model.")(names),
        f"a CLIP of Hugging Face transformers: {CONVERT}",
    ),
    (_any("vision_model.", "text_model."), f"one tower of a CLIP of Hugging Face transformers: {CONVERT}"),
    (lambda names: "logit_bias" in names, "a SigLIP model, whose sigmoid loss and own tokenizer are not supported"),
    (
        _any("text.transformer.embeddings.", "text.transformer.encoder.", "text.transformer.shared."),
        "a model with a text tower of Hugging Face, which is not supported",
    ),
    (_any("image_encoder."), "a MobileCLIP in Apple's own form: fetch it in open_clip's"),
    (
        lambda names: {"head.weight", "head.bias"} <= set(names) and _any("visual.")(names),
        "a classifier that `clean --method supervised` saved: give its folder",
    ),
    (
        lambda names: any(".lora_" in name for name in names),
        "an adapter (LoRA), not a whole model: merge it into its model and save that",
    ),
    (
        lambda names: _any("visual.")(names) and not _any("transformer.", "text.", "token_embedding.")(names),
        "the picture tower of a CLIP alone: zero-shot classes need its text tower too, so give the whole checkpoint",
    ),
    (
        lambda names: _any("token_embedding.", "transformer.resblocks.")(names) and not _any("visual.")(names),
        "the text tower of a CLIP alone: give the whole checkpoint",
    ),
    (
        _any("attnpool.", "conv1.", "ln_pre.", "class_embedding"),
        "the picture tower of a CLIP, or another network for pictures, alone: give a whole CLIP, with its text tower",
    ),
    (
        _any("fc.", "head.", "classifier.", "cls_token", "patch_embed.", "blocks.", "layer1.", "features."),
        "a network for pictures without a text tower: give a CLIP",
    ),
)


def kind_of(names: Collection[str]) -> str:
    """What weights with these names seem to be, if it is no CLIP that the library reads; empty where it may be one.

    Example:
        >>> kind_of(["text_decoder.ln_final.weight", "visual.proj"])
        'a CoCa model, whose captioning loss and decoder are not supported'
    """
    return next((what for shows, what in _KINDS if shows(names)), "")


def foreign(found: Shapes) -> str:
    """What weights seem to be, if they are of no CLIP that the library reads; empty where they may be one's.

    Example:
        >>> foreign({"token_embedding.weight": (901629, 1024)})
        "a model with a tokenizer of 901,629 tokens, and only CLIP's own is supported"
    """
    tokens = found.get("token_embedding.weight", (0,))[:1]
    if tokens > (FULL_VOCAB,):
        return f"a model with a tokenizer of {tokens[0]:,} tokens, and only CLIP's own is supported"
    return kind_of(found)


def fitting(found: Shapes) -> list[str]:
    """Names of the configs whose models have exactly these weights; the vocabulary may differ.

    The context may too, where no config has the one that is found.

    Example:
        >>> fitting(architecture.shapes(architecture.model_config("RN50")))
        ['RN50', 'RN50-quickgelu']
    """
    one = _text(found)
    if one is None:
        return []
    names, known = [], architecture.known_configs()
    for name, config in known.items():
        text = config["text_cfg"] | {"vocab_size": one[0], "context_length": one[1]}
        if (config["embed_dim"], text.get("width", 512)) != one[2:]:
            continue  # without building it
        if not difference(architecture.shapes(config | {"text_cfg": text}), found):
            names.append(name)
    return [name for name in names if known[name]["text_cfg"].get("context_length", 77) == one[1]] or names


def _text(found: Shapes) -> tuple[int, int, int, int] | None:
    """Vocabulary, context length, size of embeddings and width of a text tower."""
    needed = ("token_embedding.weight", "positional_embedding", "text_projection")
    if any(len(found.get(name, ())) != 2 for name in needed):
        return None
    tokens, places, projection = (found[name] for name in needed)
    return tokens[0], places[0], projection[1], projection[0]


def difference(expected: Shapes, found: Shapes) -> str:
    """The first way in which weights are not those of a model; empty where they are.

    Example:
        >>> difference({"a": (2, 3), "b": (1,)}, {"a": (2, 4)})
        'a is 2 x 4 and not 2 x 3'
    """
    for name, shape in expected.items():
        if name in found and found[name] != shape:
            return f"{name} is {_size(found[name])} and not {_size(shape)}"
    absent = [n for n in expected if n not in found and not n.endswith("num_batches_tracked")]
    if absent:
        return f"{absent[0]} is missing{f', and {len(absent) - 1} more' if len(absent) > 1 else ''}"
    more = [name for name in found if name not in expected]
    return f"{more[0]!r:.80} is unknown{f', and {len(more) - 1} more' if len(more) > 1 else ''}" if more else ""


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def pruned(found: Shapes) -> int:
    """Tokens of a pruned vocabulary, 0 for CLIP's whole one.

    Example:
        >>> pruned({"token_embedding.weight": (434, 64)}), pruned({"token_embedding.weight": (49408, 512)})
        (434, 0)
    """
    tokens = found.get("token_embedding.weight", (FULL_VOCAB,))[0]
    return 0 if tokens == FULL_VOCAB else tokens


def choice(names: list[str]) -> str:
    """Names of configs to choose from, and what for.

    Example:
        >>> choice(["RN50", "RN50-quickgelu"])
        "RN50, or RN50-quickgelu for weights that were trained with QuickGELU, as OpenAI's"
    """
    quick = [
        f"{n} for weights that were trained with QuickGELU, as OpenAI's" for n in names if n.endswith("-quickgelu")
    ]
    return ", or ".join([n for n in names if not n.endswith("-quickgelu")] + quick)


def seeming(found: Shapes) -> str:
    """What weights that were taken for another model's seem to be, in words that end a sentence.

    Example:
        >>> seeming({"visual.proj": (2, 2)})  # doctest: +ELLIPSIS
        'they seem to be the picture tower of a CLIP alone: ...'
        >>> seeming(architecture.shapes(architecture.model_config("tiny-rn")))
        'they are those of tiny-rn'
    """
    if kind := foreign(found):
        return f"they seem to be {kind}"
    if names := fitting(found):
        tokens = pruned(found)
        return f"they are those of {choice(names)}" + (f", with {tokens:,} tokens of its vocabulary" if tokens else "")
    return f"they fit no config of the course or of open_clip ({some(found)})"


def some(found: Shapes) -> str:
    """How many weights there are, and the first names.

    Example:
        >>> some({"weight": (1,)})
        "1 tensor: 'weight'"
    """
    names = [f"{name!r:.60}" for name in found][:3] + ["…"] * (len(found) > 3)
    return f"{len(found)} tensor{'s' * (len(found) != 1)}: {', '.join(names)}"
