"""Writes N JPEGs of 500x375 with photo-like content, for decoding benchmarks.

    python make_jpegs.py OUT N

With scikit-learn they are random crops of its two sample photographs; without it, smooth random fields whose
detail falls off with frequency as a photograph's does.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 500, 375
QUALITY = 90
OCTAVES = 8
FALL_OFF = 0.7  # of amplitude from octave to octave: files come out at about the size of photographs


def photographs() -> list[np.ndarray]:
    try:
        from sklearn.datasets import load_sample_images
    except ImportError:
        return []
    return load_sample_images().images


def crop(photograph: np.ndarray, rng: np.random.Generator) -> Image.Image:
    height, width, _ = photograph.shape
    top, left = rng.integers(height - HEIGHT + 1), rng.integers(width - WIDTH + 1)
    piece = photograph[top : top + HEIGHT, left : left + WIDTH]
    return Image.fromarray(piece[:, ::-1].copy() if rng.random() < 0.5 else piece)


def field(rng: np.random.Generator) -> Image.Image:
    """Noise on ever finer grids, ever fainter."""
    total = np.full((HEIGHT, WIDTH, 3), 128, np.float32)
    for octave in range(OCTAVES):
        cells = 2 ** (octave + 1)
        grid = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        smooth = Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, np.float32) - 128) * FALL_OFF ** (octave + 1)
    return Image.fromarray(total.clip(0, 255).astype(np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes photo-like JPEGs.")
    parser.add_argument("out", type=Path)
    parser.add_argument("n", type=int)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sources = photographs()
    for i in range(args.n):
        image = crop(sources[i % len(sources)], rng) if sources else field(rng)
        image.save(args.out / f"{i:05}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main()
