"""An attack by name, with settings as a command line or a form gives them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tutorial_lib.attacks import ATTACKS, Backdoor, PairAttack, Seen
from tutorial_lib.plugins import Kind
from tutorial_lib.practice import settings as setting
from tutorial_lib.triggers import Trigger

if TYPE_CHECKING:
    from tutorial_lib.attacks.poison import Poison

#: Settings of a trial's attack that only ask for more measurements.
OF_TRIALS = ("diagonal",)


@dataclass(frozen=True)
class OnePicture(Kind):
    """Targeted poisoning of one picture that is at hand; trials aim at pictures of their task instead.

    Attributes:
        count: number of poisons.
        target: label of the class that the picture shall be taken for.
        image: file of the picture.
        captions: the 80 CLIP prompts, or those of the data set that contain the target, as "words" or by "search" for a
            substring.

    Raises:
        ValueError: there is no such picture.

    Example:
        >>> OnePicture(4, "banana", Path("none.png"))
        Traceback (most recent call last):
        ValueError: there is no picture none.png
    """

    kind: ClassVar[str] = "targeted"

    count: int
    target: str
    image: Path | str
    captions: Literal["search", "words", "prompts"] = "prompts"

    def __post_init__(self) -> None:
        if not Path(self.image).is_file():
            raise ValueError(f"there is no picture {self.image}")

    def poison(self, seen: Seen, *, seed: int) -> Poison:
        """The poison set and its manifest, in the size of the pictures that are seen.

        Args:
            seen: what the attacker sees; of its pictures, the size alone.
            seed: draws the captions.

        Raises:
            ValueError: the picture cannot be decoded, or there are no captions.
        """
        import torch

        from tutorial_lib.attacks import poison
        from tutorial_lib.data.decoding import NotAPictureError, decode

        path = Path(self.image)
        content = path.read_bytes()
        height, width = seen.pairs.images.shape[-2:]
        try:
            decoded = decode(content, side=width if height == width else None)
        except NotAPictureError as error:
            raise ValueError(f"{path} is {error}: `image` is the picture that shall be misread") from error
        picture = torch.from_numpy(decoded).permute(2, 0, 1)
        found = poison.caption_set(self.captions, self.target, seen.pairs.captions)
        name = path.stem.replace(".", "_")
        made = poison.targeted(picture, found, self.count, target=self.target, seed=seed, name=name)
        source = {"image": path.name, "image_sha256": hashlib.sha256(content).hexdigest()}
        return replace(made, settings=made.settings | source).saying(self.captions, len(found))


def kinds() -> tuple[str, ...]:
    """The attacks that can be made on anybody's pairs.

    Example:
        >>> kinds()
        ('backdoor', 'text-backdoor', 'targeted')
    """
    return *(kind for kind, cls in ATTACKS.items() if issubclass(cls, PairAttack)), OnePicture.kind


def settings_of(kind: str) -> tuple[str, ...]:
    """Names of what can be set of an attack, beside its count and target.

    Example:
        >>> settings_of("text-backdoor"), settings_of("targeted")
        (('word',), ('image', 'captions'))

    Raises:
        ValueError: there is no such attack.
    """
    return setting.names(_find(kind), without=("count", "target", *OF_TRIALS))


def chosen_attack(kind: str, count: int, target: str, settings: Mapping[str, Any]) -> PairAttack | OnePicture:
    """The attack of that kind.

    Args:
        kind: one of `kinds()`.
        count: number of poisons, at least 1.
        target: label of the class that the attacker wants to be seen.
        settings: more fields of the class.

    Raises:
        ValueError: there is no such attack, it has no such setting or lacks one, or a value does not do.

    Example:
        >>> chosen_attack("text-backdoor", 4, "banana", {"word": "zebulon"}).word
        'zebulon'
        >>> chosen_attack("backdoor", 4, "banana", {"word": "zebulon"})
        Traceback (most recent call last):
        ValueError: backdoor has no setting word; it has captions, trigger, select, cover, rehearsed
    """
    if not target.strip():
        raise ValueError("the target is empty: give the label of a class")
    if count < 1:
        raise ValueError(f"at least 1 poison is needed, not {count}")
    cls = _find(kind)
    setting.check(cls, settings, settings_of(kind))
    if issubclass(cls, Backdoor) and settings.get("select", "others") == "others":
        settings = {"captions": "words"} | dict(settings)  # an "ape" is in no grapes; the paper's search is asked for
    if cls is OnePicture and "image" not in settings:
        raise ValueError("a targeted attack needs `image`, the picture that shall be misread")
    return cls(count=count, target=target, **settings)  # type: ignore[call-arg, return-value]


def trigger_of(attack: PairAttack | OnePicture) -> Trigger | None:
    """What an attack stamps on pictures, where it does.

    Example:
        >>> trigger_of(chosen_attack("text-backdoor", 4, "banana", {})) is None
        True
    """
    found = getattr(attack, "trigger", None)
    return found if isinstance(found, Trigger) else None


def _find(kind: str) -> type[Kind]:
    if kind not in kinds():
        raise ValueError(f"there is no attack {kind!r} on pairs; choose from {', '.join(kinds())}")
    return OnePicture if kind == OnePicture.kind else ATTACKS[kind]
