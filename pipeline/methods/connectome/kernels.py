"""Compiled loops over affinities that skip what is zero.

Sixteen columns of factors are worked on side by side in the lanes of vector registers, whatever
their width on the machine: a pair's sixteen values are one load. Compilers do not find this form
by themselves, because they cannot know that the arrays do not overlap, and it is what makes the
loops run four times as fast.

Arrays of lanes are (group of columns, row, lane); pairs stand in the order of
``numpy.triu_indices(n_units, 1)``, so that pair ``(i, j)`` is at ``offset[i] + j``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic, models, register_model

from pipeline.numerics.compiled import compiled

LANES = 16
"""Columns that one register, or a few, hold together."""

FLUSH = 4096
"""Cells whose products are summed in single precision before they are added in double."""


class Lanes(types.Type):
    """The compiler's name for sixteen single-precision numbers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES_TYPE = Lanes()
_VECTOR = ir.VectorType(ir.FloatType(), LANES)


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """How the compiler holds them: as one vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _address(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Address of a row of lanes."""
    data = context.make_array(kind)(context, builder, array).data
    first = builder.gep(data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(first, _VECTOR.as_pointer())


def _spread(builder: Any, number: Any) -> Any:
    """One number in all lanes."""
    empty = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, everywhere)


@intrinsic
def load(typing: Any, array: Any, row: Any) -> Any:
    """Row of lanes of an array (row, lane)."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = context.cast(builder, given[1], signature.args[1], types.intp)
        lanes = builder.load(_address(context, builder, signature.args[0], given[0], place))
        lanes.align = 4
        return lanes

    return LANES_TYPE(array, row), generate


@intrinsic
def store(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
    """Puts a row of lanes into an array (row, lane)."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        place = context.cast(builder, given[1], signature.args[1], types.intp)
        into = _address(context, builder, signature.args[0], given[0], place)
        builder.store(given[2], into).align = 4
        return context.get_dummy_value()

    return types.none(array, row, lanes), generate


@intrinsic
def zeros(typing: Any) -> Any:
    """Lanes of zeros."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return ir.Constant(_VECTOR, [0.0] * LANES)

    return LANES_TYPE(), generate


@intrinsic
def plus(typing: Any, lanes: Any, number: Any, others: Any) -> Any:
    """``lanes + number * others``, rounded once."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        fused = ("contract",)
        product = builder.fmul(_spread(builder, given[1]), given[2], flags=fused)
        return builder.fadd(given[0], product, flags=fused)

    return LANES_TYPE(lanes, types.float32, others), generate


@compiled
def products_over_pairs(
    start: Any, unit: Any, value: Any, offset: Any, tiles: Any, pair: Any, out: Any, cells: Any
) -> None:
    """``out[k] = sum over i < j of v_i v_j pair[i, j]`` for columns ``cells[0]`` to ``cells[1]``.

    Column ``k`` has the values ``value[start[k]:start[k + 1]]`` at increasing units. ``tiles`` are
    bounds of units between which the pairs fit into the processor's cache.
    """
    first, last = cells
    cursor = start[first:last].copy()
    for k in range(first, last):
        store(out, k, zeros())
    for tile in range(tiles.size - 1):
        bound = tiles[tile + 1]
        for k in range(first, last):
            end = start[k + 1]
            at = cursor[k - first]
            if at >= end or unit[at] >= bound:
                continue
            total = load(out, k)
            while at < end and unit[at] < bound:
                base = offset[unit[at]]
                inner = zeros()
                for other in range(at + 1, end):
                    inner = plus(inner, value[other], load(pair, base + unit[other]))
                total = plus(total, value[at], inner)
                at += 1
            store(out, k, total)
            cursor[k - first] = at


@compiled
def products_over_columns(
    start: Any, unit: Any, value: Any, offset: Any, weight: Any, part: Any, out: Any, rows: Any
) -> None:
    """``out[i, j] = sum over k of v_i v_j weight[k]`` for units ``i`` from ``rows[0]``.

    ``part`` is room for the pairs of these units in single precision, ``out`` all pairs in
    double; pairs of other units are left alone.
    """
    n_columns = start.size - 1
    first = offset[rows[0]] + rows[0] + 1
    for begin in range(0, n_columns, FLUSH):
        for pair in range(part.shape[0]):
            store(part, pair, zeros())
        for k in range(begin, min(begin + FLUSH, n_columns)):
            end = start[k + 1]
            low, high = start[k], end
            while low < high:
                middle = (low + high) // 2
                if unit[middle] < rows[0]:
                    low = middle + 1
                else:
                    high = middle
            if low == end:
                continue
            lanes = load(weight, k)
            while low < end and unit[low] < rows[1]:
                base = offset[unit[low]] - first
                scaled = plus(zeros(), value[low], lanes)
                for other in range(low + 1, end):
                    pair = base + unit[other]
                    store(part, pair, plus(load(part, pair), value[other], scaled))
                low += 1
        for pair in range(part.shape[0]):
            for lane in range(LANES):
                out[first + pair, lane] += part[pair, lane]


@compiled
def table_over_pairs(table: Any, pair: Any, out: Any, cells: Any, tile: Any) -> None:
    """``out[k] = sum over p of table[k, p] pair[p]`` for rows ``cells[0]`` to ``cells[1]``."""
    n_pairs = table.shape[1]
    for k in range(cells[0], cells[1]):
        store(out, k, zeros())
    for begin in range(0, n_pairs, tile):
        stop = min(begin + tile, n_pairs)
        for k in range(cells[0], cells[1]):
            total = load(out, k)
            for p in range(begin, stop):
                entry = table[k, p]
                if entry != 0:
                    total = plus(total, entry, load(pair, p))
            store(out, k, total)


@compiled
def table_over_cells(table: Any, weight: Any, part: Any, out: Any, pairs: Any) -> None:
    """``out[p] += sum over k of table[k, p] weight[k]`` for pairs ``pairs[0]`` to ``pairs[1]``."""
    for begin in range(0, table.shape[0], FLUSH):
        for p in range(pairs[0], pairs[1]):
            store(part, p - pairs[0], zeros())
        for k in range(begin, min(begin + FLUSH, table.shape[0])):
            lanes = load(weight, k)
            for p in range(pairs[0], pairs[1]):
                entry = table[k, p]
                if entry != 0:
                    at = p - pairs[0]
                    store(part, at, plus(load(part, at), entry, lanes))
        for p in range(pairs[0], pairs[1]):
            for lane in range(LANES):
                out[p, lane] += part[p - pairs[0], lane]


@compiled
def hals_sweep(
    factor: Any, product: Any, gram: Any, row: Any, kind: Any, penalty: Any, ridge: Any, bounds: Any
) -> float:
    """One pass of HALS over the columns of some rows, in place; the squared change.

    Row ``row[i]`` minimises its own quadratic with the Gram matrix ``gram[kind[i]]``; where the
    diagonal entry is 0 (nothing observed) it keeps its value.
    """
    change = 0.0
    rank = factor.shape[1]
    for i in range(bounds[0], bounds[1]):
        own, at = gram[kind[i]], row[i]
        for r in range(rank):
            if own[r, r] == 0:
                continue
            slope = product[at, r] - penalty - ridge * factor[at, r]
            for s in range(rank):
                slope -= factor[at, s] * own[r, s]
            found = max(0.0, factor[at, r] + slope / (own[r, r] + ridge))
            change += (found - factor[at, r]) ** 2
            factor[at, r] = found
    return change


@compiled
def row_energy(factor: Any, gram: Any, row: Any, kind: Any) -> float:
    """Sum over rows of ``f' gram[kind[i]] f``, ``f`` being row ``row[i]`` of the factor."""
    total = 0.0
    rank = factor.shape[1]
    for i in range(row.size):
        own, at = gram[kind[i]], row[i]
        for r in range(rank):
            if factor[at, r] != 0:
                inner = 0.0
                for s in range(rank):
                    inner += own[r, s] * factor[at, s]
                total += factor[at, r] * inner
    return total


@compiled
def smooth_sweep(
    factor: Any, product: Any, gram: Any, kind: Any, linked: Any, smooth: Any, ridge: Any
) -> float:
    """The same over all rows where differences of linked neighbours are penalised as well.

    ``linked[i]`` is 1 where rows ``i`` and ``i + 1`` follow each other. Even rows are visited
    before odd ones, so that every step is the exact minimiser given its neighbours.
    """
    change = 0.0
    n_rows, rank = factor.shape
    for r in range(rank):
        for parity in range(2):
            for row in range(parity, n_rows, 2):
                own = gram[kind[row]]
                if own[r, r] == 0:
                    continue
                slope = product[row, r] - ridge * factor[row, r]
                for s in range(rank):
                    slope -= factor[row, s] * own[r, s]
                curve = own[r, r] + ridge
                if row > 0 and linked[row - 1]:
                    slope -= smooth * (factor[row, r] - factor[row - 1, r])
                    curve += smooth
                if row < n_rows - 1 and linked[row]:
                    slope -= smooth * (factor[row, r] - factor[row + 1, r])
                    curve += smooth
                found = max(0.0, factor[row, r] + slope / curve)
                change += (found - factor[row, r]) ** 2
                factor[row, r] = found
    return change


@compiled
def grams_by_kind(factor: Any, row: Any, kind: Any, out: Any) -> None:
    """``out[kind[i]] += outer product of factor[row[i]]`` with itself, for all ``i``."""
    rank = factor.shape[1]
    for i in range(row.size):
        own = out[kind[i]]
        for r in range(rank):
            entry = factor[row[i], r]
            if entry != 0:
                for s in range(rank):
                    own[r, s] += entry * factor[row[i], s]


@compiled
def model_where_missing(
    weight: Any, pair: Any, seen: Any, pattern: Any, to_cells: Any, to_pairs: Any
) -> float:
    """Products of the model with itself over what is not observed; their total.

    ``seen[pattern[k]]`` tells which units are observed in cell ``k``. Adds to ``to_cells`` (cell,
    component) the model times the pairs' factor, to ``to_pairs`` (pair, component) the model times
    the cells' weights, and returns the model's sum of squares there.
    """
    n_units = seen.shape[1]
    rank = weight.shape[1]
    total = 0.0
    for k in range(weight.shape[0]):
        own = seen[pattern[k]]
        p = 0
        for i in range(n_units):
            for j in range(i + 1, n_units):
                if not (own[i] and own[j]):
                    model = 0.0
                    for r in range(rank):
                        model += weight[k, r] * pair[p, r]
                    total += model * model
                    for r in range(rank):
                        to_cells[k, r] += model * pair[p, r]
                        to_pairs[p, r] += model * weight[k, r]
                p += 1
    return total


@compiled
def cell_energy(start: Any, unit: Any, value: Any, cell: Any, energy: Any) -> None:
    """Adds the sum of squared affinities of each cell to ``energy``.

    A cell with columns ``k`` has ``sum over k, l of ((v_k . v_l)^2 - v_k^2 . v_l^2) / 2``.
    """
    for k in range(cell.size):
        other = k
        while other < cell.size and cell[other] == cell[k]:
            dot = 0.0
            fourth = 0.0
            one, two = start[k], start[other]
            while one < start[k + 1] and two < start[other + 1]:
                if unit[one] < unit[two]:
                    one += 1
                elif unit[one] > unit[two]:
                    two += 1
                else:
                    product = float(value[one]) * float(value[two])
                    dot += product
                    fourth += product * product
                    one += 1
                    two += 1
            both = dot * dot - fourth
            energy[cell[k]] += both / 2 if other == k else both
            other += 1


@compiled
def interval_affinity(
    speed: Any, runs: Any, first: Any, pairs: Any, shortest: Any, out: Any
) -> None:
    """Affinity of pairs (pair, frame) that is constant on runs in which neither unit turns.

    ``speed`` is (unit, frame); ``runs`` (run, 2) begin and end of the stretches in which a unit
    moves and does not turn, in order, those of unit ``u`` from ``first[u]`` to ``first[u + 1]``;
    ``out`` holds zeros. Where stretches of both units overlap in at least ``shortest`` frames, the
    affinity is the cosine of both speeds times the root of the product of their means.
    """
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        one, other, found = speed[i], speed[j], out[p]
        of_one, of_other = first[i], first[j]
        while of_one < first[i + 1] and of_other < first[j + 1]:
            begin = max(runs[of_one, 0], runs[of_other, 0])
            end = min(runs[of_one, 1], runs[of_other, 1])
            if end - begin >= shortest:
                cross = square = other_square = total = other_total = 0.0
                for at in range(begin, end):
                    here, there = float(one[at]), float(other[at])
                    cross += here * there
                    square += here * here
                    other_square += there * there
                    total += here
                    other_total += there
                value = cross / (square * other_square) ** 0.5
                value *= (total * other_total) ** 0.5 / (end - begin)
                for at in range(begin, end):
                    found[at] = value
            if runs[of_one, 1] < runs[of_other, 1]:
                of_one += 1
            else:
                of_other += 1


@compiled
def exchange_ends(ends: Any, place: Any, taken: Any, drawn: Any, turned: Any) -> None:
    """Tries to exchange an end of two connections, for each two that were drawn, in place.

    ``ends`` (connection, 2) are units, ``place[i, j]`` the number of a pair that may be connected
    or -1, ``taken`` whether a pair is connected. ``turned`` says which way round the second is.
    """
    for step in range(drawn.shape[0]):
        one, other = drawn[step, 0], drawn[step, 1]
        if one == other:
            continue
        a, b = ends[one, 0], ends[one, 1]
        c, d = ends[other, 0], ends[other, 1]
        if turned[step]:
            c, d = d, c
        if a == d or c == b:
            continue
        first, second = place[a, d], place[c, b]
        if first < 0 or second < 0 or taken[first] or taken[second]:
            continue
        taken[place[a, b]] = False
        taken[place[c, d]] = False
        taken[first] = True
        taken[second] = True
        ends[one, 1] = d
        ends[other, 0] = c
        ends[other, 1] = b
