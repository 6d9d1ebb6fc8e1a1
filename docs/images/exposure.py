"""Draw a FITS file as the README shows it: ``python docs/images/exposure.py FILE PNG`` (matplotlib is in ``dev``)."""

import sys

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from astropy.io import fits

file, png = sys.argv[1:]
pixels, header = fits.getdata(file, header=True)
rows, columns = pixels.shape
# Each amplifier has its own bias: show every quarter on its own scale.
shown = np.empty(pixels.shape)
for y in (slice(0, rows // 2), slice(rows // 2, rows)):
    for x in (slice(0, columns // 2), slice(columns // 2, columns)):
        quarter = pixels[y, x].astype(float)
        shown[y, x] = quarter - np.median(quarter)
figure, (raw, stretched) = plt.subplots(1, 2, figsize=(11, 5.2), layout="constrained")
raw.imshow(pixels, cmap="gray", vmin=pixels.min(), vmax=np.percentile(pixels, 99.5))
raw.set_title("as read: four amplifiers with their bias and overscan", fontsize=9)
stretched.imshow(shown, cmap="gray", vmin=-30, vmax=120)
stretched.set_title("median of each amplifier subtracted", fontsize=9)
figure.suptitle(
    f"{header['FILENAME']}: {header['IMAGETYP']}, {header['EXPTIME']:g} s, {columns} x {rows} pixels", fontsize=10
)
figure.savefig(png, dpi=90)
