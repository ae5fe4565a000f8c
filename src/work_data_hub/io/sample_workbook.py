"""Workbooks as Excel saves them, written as a stream and the same to the byte each time.

xlsxwriter either keeps every cell in memory or leaves out the shared strings that Excel uses;
neither does for 300,000 rows that shall look real.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import batched_rows
