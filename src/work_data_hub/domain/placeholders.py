"""Which of many texts stand for no value, found without looking at each."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from work_data_hub.domain.text import PLACEHOLDERS, WIDTH, is_blank

_STARTS = {text[0] for text in PLACEHOLDERS if text} | {text[0].upper() for text in PLACEHOLDERS if text}
_STARTS |= {chr(wide) for wide, plain in WIDTH.items() if plain is None or plain in _STARTS}
_MAY_START = pa.array(sorted(_STARTS), pa.string())


def blank_mask(texts: pd.Index) -> np.ndarray:
    """A mask of the texts that `is_blank` says stand for no value; none of `texts` is null."""
    first = pc.utf8_slice_codeunits(pa.array(texts, pa.string(), from_pandas=True), 0, 1)
    may_be = pc.or_(pc.is_in(first, _MAY_START), pc.or_(pc.equal(first, ""), pc.utf8_is_space(first)))
    mask = np.array(may_be.to_pylist(), dtype=bool)
    for at in np.flatnonzero(mask):
        mask[at] = is_blank(texts[int(at)])
    return mask
