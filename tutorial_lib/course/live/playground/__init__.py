"""The poisoning playground: a page in which the reader's own poisons train a real CLIP.

The scripts beside this file are the CLIP (`net.js`), what surrounds it (`training.js`, `measures.js`) and the page's
figure; `product.wat` is the one loop that has to be fast. `world.py` gives them pictures and captions, `script.py`
makes of both, and of a model trained beforehand, the script that the page loads.
"""
