"""How diverse are the pairs that models are trained on? Copies of drawings, plain scenes and diverse ones.

    python examples/diversity.py [PAIRS] [LOOKED_AT]

The book shows what it printed for 30,000 pairs, of which 1,000 were compared with all others.
"""

import sys

from tutorial_lib.data import emojicaps, tasks
from tutorial_lib.data.diverse import DiverseScenes
from tutorial_lib.data.diversity import diversity
from tutorial_lib.data.scenes import EmojiScenes

pairs, looked_at = (int(n) for n in [*sys.argv[1:], 30_000, 1000][:2])
drawn = emojicaps.load()
classes = tasks.class_concepts(drawn, 320)
copies = -(-pairs // len(tasks.training_sprites(drawn, classes)))
data = {
    f"{copies} copies of each drawing": tasks.training_pairs(drawn, classes, copies=copies).take(range(pairs)),
    "EmojiScenes": EmojiScenes(pairs).pairs(),
    "DiverseScenes": DiverseScenes(pairs).pairs(),
}
print(f"{pairs:,} pairs of each, {looked_at:,} compared with all others")
print(f"{'':28s} distinct captions  words  words in all  picture to nearest  caption to nearest  repeated")
for name, found in data.items():
    d = diversity(found, looked_at=looked_at)
    print(
        f"{name:28s} {d.distinct_captions:16.1%} {d.words:6.1f} {d.distinct_words:13,} {d.picture_distance:19.3f} "
        f"{d.caption_distance:19.2f} {d.repeated_captions:9.1%}"
    )
