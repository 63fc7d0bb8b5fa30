"""How samples are described to those who judge their labels."""

from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array

# (n, k) float32, or (n, V) sparse with rows of length one.
Features: TypeAlias = np.ndarray | csr_array
