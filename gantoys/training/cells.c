/* The cells by which JSBound reads densities: what `coded`, `halvings_at_own` and `halvings_at_others` of
 * jensen_shannon.py do, number for number; the tests hold the two equal.
 *
 * Codes are sorted and at least 0. Each row of them is copied with `beyond`, which lies above all codes, `most` times at
 * both ends, so that each has enough neighbours. `room` holds what one row needs, ROOM(m) numbers. */

#include <stdint.h>
#include <string.h>

#define TOGETHER 8 /* searches that go on side by side: none of them waits for its memory alone */

/* How many bits the two ends of a cell do not share. */
static inline int64_t halvings(int64_t differs) {
    return 63 - __builtin_clzll(2 * (uint64_t)differs + 1); /* of 0 there would be no first bit */
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void padded(int64_t m, const int64_t *members, int64_t most, int64_t beyond, int64_t *out) {
    for (int64_t i = 0; i < most; i++) out[i] = out[most + m + i] = beyond;
    memcpy(out + most, members, m * sizeof *out);
}

/* The difference (exclusive or) between the ends of `count` members in a row, for n places. */
static void ends(int64_t n, const int64_t *restrict members, int64_t count, int64_t *restrict out) {
    for (int64_t i = 0; i < n; i++) out[i] = members[i] ^ members[i + count - 1];
}

static void least_of_two(int64_t n, const int64_t *restrict x, int64_t apart, int64_t *restrict out) {
    for (int64_t i = 0; i < n; i++) out[i] = least(x[i], x[i + apart]);
}

/* The least of each `rows` neighbours in x (n + rows - 1): of 1, 2, 4, ... of them, then of all. x and `other` are both
 * written to; the one returned holds the n results. */
static int64_t *least_of_neighbours(int64_t n, int64_t rows, int64_t *x, int64_t *other) {
    int64_t reach = 1, left = n + rows - 1, *swap;
    while (reach < rows) {
        int64_t apart = 2 * reach <= rows ? reach : rows - reach;
        left -= apart;
        least_of_two(left, x, apart, other);
        swap = x, x = other, other = swap;
        reach += apart;
    }
    return x;
}

/* How many of m sorted members lie below each of `count` numbers, by halving. Without branches, which nobody could
 * foretell, and `count` a constant, so that all of them stay in registers. */
static inline __attribute__((always_inline)) void search(int count, int64_t m, const int64_t *members,
                                                         const int64_t *x, int64_t *out) {
    const int64_t *from[TOGETHER];
    _Pragma("GCC unroll 8") for (int j = 0; j < count; j++) from[j] = members;
    for (int64_t left = m; left > 0; left /= 2) {
        int64_t half = (left + 1) / 2;
        _Pragma("GCC unroll 8") for (int j = 0; j < count; j++) {
            const int64_t *to = from[j] + half;
            from[j] = to[-1] < x[j] ? to : from[j];
        }
    }
    _Pragma("GCC unroll 8") for (int j = 0; j < count; j++) out[j] = from[j] - members;
}

static void places(int64_t m, const int64_t *members, int64_t n, const int64_t *x, int64_t *out) {
    int64_t i = 0;
    for (; i + TOGETHER <= n; i += TOGETHER) search(TOGETHER, m, members, x + i, out + i);
    for (; i < n; i++) search(1, m, members, x + i, out + i);
}

/* out (grids, n) |= the cells of n points, unit (d, n), on grids shifted by (grids, d), with `bits` along a side; table:
 * for each byte its bits with d - 1 zeros after each. */
void coded(int64_t grids, int64_t d, int64_t n, const double *unit, const double *shifts, int64_t bits,
           const int64_t *table, int64_t *out) {
    double places = (double)((int64_t)1 << bits);
    for (int64_t g = 0; g < grids; g++, shifts += d, out += n) {
        for (int64_t axis = 0; axis < d; axis++) {
            const double *x = unit + axis * n;
            for (int64_t i = 0; i < n; i++) {
                double side = (x[i] + shifts[axis]) * places;
                side = side > 0 ? side : 0;
                int64_t place = (int64_t)(side < places - 1 ? side : places - 1), code = table[place & 255];
                if (bits > 8) code |= table[place >> 8] << (8 * d);
                out[i] |= code << axis;
            }
        }
    }
}

/* out (counts, n) += over grids the halvings of the least cell that each of the members (grids, n) shares with k others.
 * order (grids, n): the place in `out` of each member. */
void own(int64_t grids, int64_t n, const int64_t *order, const int64_t *members, int64_t counts, const int64_t *count,
         int64_t most, int64_t beyond, int64_t *room, int64_t *out) {
    int64_t size = n + 2 * most, *row = room, *a = room + size, *b = a + size;
    for (int64_t g = 0; g < grids; g++, order += n, members += n) {
        padded(n, members, most, beyond, row);
        for (int64_t c = 0; c < counts; c++) {
            int64_t k = count[c], *to = out + c * n;
            ends(n + k, row + most - k, k + 1, a);
            const int64_t *found = least_of_neighbours(n, k + 1, a, b);
            for (int64_t i = 0; i < n; i++) to[order[i]] += halvings(found[i]);
        }
    }
}

/* out (counts, n) += over grids the halvings of the least cell that each x (grids, n) shares with k members (grids, m). */
void others(int64_t grids, int64_t m, const int64_t *members, int64_t n, const int64_t *x, int64_t counts,
            const int64_t *count, int64_t most, int64_t beyond, int64_t *room, int64_t *out) {
    int64_t size = m + 2 * most, *row = room, *a = room + size, *b = a + size, *at = b + size;
    for (int64_t g = 0; g < grids; g++, members += m, x += n) {
        padded(m, members, most, beyond, row);
        places(m, members, n, x, at);
        for (int64_t c = 0; c < counts; c++) {
            int64_t k = count[c], *to = out + c * n;
            /* k members with the gap inside, all to the left, all to the right */
            ends(m + k - 1, row + most - k + 1, k, a);
            const int64_t *inside = least_of_neighbours(m + 1, k - 1, a, b);
            const int64_t *left = row + most - k, *right = row + most + k - 1;
            for (int64_t i = 0; i < n; i++) {
                int64_t p = at[i], outside = least(left[p] ^ x[i], right[p] ^ x[i]);
                to[i] += halvings(least(outside, inside[p]));
            }
        }
    }
}
