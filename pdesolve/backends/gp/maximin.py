"""The maximin ordering: each next point is the farthest from those before it.

    i_k = argmax_i l_i,   l_i = min_{j < k} ‖x_i - x_{i_j}‖

From coarse to fine: the first k points cover the set evenly at the scale l of the k-th. O(n log² n).

Source: Schäfer, Katzfuss & Owhadi, SIAM J. Sci. Comput. 43 (2021) A2019.
"""

from __future__ import annotations

import heapq
import math

import numpy as np
from scipy.spatial import cKDTree

from ...declare.domain import Array
from .measurements import Indices


def maximin(points: Array) -> tuple[Indices, Array]:
    """The order (n,) of ``points`` (n, 2), all different, and their scales l (n,) in that order.

    The first is the one nearest to the mean; its scale is the largest distance from it.
    """
    n = len(points)
    if not n:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    first = int(np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1)))
    distances = np.linalg.norm(points - points[first], axis=1)
    order, lengths = [first], [float(distances.max()) or 1.0]
    tree = cKDTree(points)
    # One entry a point. Distances only fall, so that an entry is an upper bound: renewed when it comes up.
    heap = [(-d, i) for i, d in enumerate(distances.tolist()) if i != first]
    heapq.heapify(heap)
    while heap:
        bound, i = heap[0]
        distance = float(distances[i])
        if distance < -bound:
            heapq.heapreplace(heap, (-distance, i))
            continue
        heapq.heappop(heap)
        order.append(i)
        lengths.append(distance)
        near = np.array(tree.query_ball_point(points[i], math.nextafter(distance, math.inf)))
        distances[near] = np.minimum(distances[near], np.linalg.norm(points[near] - points[i], axis=1))
    return np.array(order, dtype=np.int64), np.array(lengths)
