"""Images a second that Pillow decodes and resizes to 224 px in one process, as a JSON line.

    python decode_pil.py DIR
"""

import argparse
import json
import time
from pathlib import Path

import PIL
from PIL import Image

SIDE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description="Images a second that Pillow decodes and resizes.")
    parser.add_argument("dir", type=Path)
    args = parser.parse_args()
    paths = sorted(args.dir.rglob("*.jpg"))
    if not paths:
        parser.error(f"no .jpg file under {args.dir}; make some with benches/make_jpegs.py")

    start = time.perf_counter()
    for path in paths:
        with Image.open(path) as image:
            image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    seconds = time.perf_counter() - start
    print(json.dumps({"images": len(paths), "seconds": seconds, "images_per_second": len(paths) / seconds, "pillow": PIL.__version__}))


if __name__ == "__main__":
    main()
