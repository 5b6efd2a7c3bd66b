/* Forward and backward passes of narrow fully connected networks, several seeds side by side, in single precision.
 *
 * For networks of some tens of units a step in torch is mostly the cost of its calls. Here one call is a whole pass. It
 * does what `Passes.forward` and `Passes.backward` of closed_form.py do, and the tests hold the two equal.
 * Vectors are GCC's and Clang's own, so the compiler picks the machine's instructions. */

#include <stdint.h>
#include <string.h>

#define LANES 16
#define ROWS 6 /* rows of a product that are worked on together: their sums stay in registers */
#define MOST_LAYERS 8
#define MOST_WIDTH 128

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));

typedef struct {
    int64_t seeds, layers, points; /* layers: matrices, hidden layers and the last */
    int64_t sizes[MOST_LAYERS + 1];
    float slope; /* of the activation below 0 */
    float *w[MOST_LAYERS], *b[MOST_LAYERS], *gw[MOST_LAYERS], *gb[MOST_LAYERS]; /* of all seeds, one after the other */
    float *h[MOST_LAYERS];  /* what goes into each matrix: (seeds, points, size) */
    int64_t step[MOST_LAYERS]; /* numbers from one seed's points to the next one's in h */
    float *out;             /* (seeds, points, last size) */
    int64_t out_step;
    float *room[2];         /* (points, width) each, for the backward pass */
    float *d;               /* dL/d out */
    int64_t d_step;
    float *to;              /* dL/d input, or null */
    int64_t to_step;
    int64_t learn;
} Pass;

static inline vec load(const float *p) { vec v; memcpy(&v, p, sizeof v); return v; }
static inline void store(float *p, vec v) { memcpy(p, &v, sizeof v); }
static inline vec spread(float x) { return x - (vec){0}; }
static inline vec bent(vec v, float slope) {
    ivec positive = v > 0;
    return (vec)((positive & (ivec)v) | (~positive & (ivec)(v * slope)));
}
static inline vec masked(vec v, vec h, float slope) {
    ivec positive = h > 0;
    return (vec)((positive & (ivec)v) | (~positive & (ivec)(v * slope)));
}

/* How the sums of a product are finished: as they are, bent by the activation, or masked by its slope at h. */
enum { PLAIN, BEND, MASK };

/* c (rows, columns) = a b + bias; a's number (i, k) stands at a[i * a_row + k * a_column], b is (inner, columns). */
#define TILE(NAME, R, V)                                                                                              \
    static inline void NAME(int64_t inner, const float *a, int64_t a_row, int64_t a_column, const float *b,           \
                            int64_t columns, const float *bias, float *c, int finish, const float *h, float slope) {  \
        vec sum[R][V];                                                                                                \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                                                           \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) sum[r][v] = bias ? load(bias + v * LANES) : spread(0);                        \
        for (int64_t k = 0; k < inner; k++) {                                                                         \
            vec row[V];                                                                                               \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) row[v] = load(b + k * columns + v * LANES);                                   \
            _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {                                                                             \
                vec x = spread(a[r * a_row + k * a_column]);                                                          \
                _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) sum[r][v] += x * row[v];                                                  \
            }                                                                                                         \
        }                                                                                                             \
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++)                                                           \
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) {                                                                             \
                int64_t at = r * columns + v * LANES;                                                                 \
                vec y = sum[r][v];                                                                                    \
                if (finish == BEND) y = bent(y, slope);                                                               \
                if (finish == MASK) y = masked(y, load(h + at), slope);                                               \
                store(c + at, y);                                                                                     \
            }                                                                                                         \
    }
TILE(tile_6_2, 6, 2)
TILE(tile_1_2, 1, 2)
TILE(tile_6_1, 6, 1)
TILE(tile_1_1, 1, 1)

static void product(int64_t rows, int64_t inner, int64_t columns, const float *a, int64_t a_row, int64_t a_column,
                    const float *b, const float *bias, float *c, int finish, const float *h, float slope) {
    int64_t j = 0;
#define SWEEP(SIX, ONE, V)                                                                                            \
    for (; j + V * LANES <= columns; j += V * LANES) {                                                                \
        int64_t i = 0;                                                                                                \
        const float *at = bias ? bias + j : 0;                                                                        \
        for (; i + ROWS <= rows; i += ROWS)                                                                           \
            SIX(inner, a + i * a_row, a_row, a_column, b + j, columns, at, c + i * columns + j, finish,               \
                h ? h + i * columns + j : 0, slope);                                                                  \
        for (; i < rows; i++)                                                                                         \
            ONE(inner, a + i * a_row, a_row, a_column, b + j, columns, at, c + i * columns + j, finish,               \
                h ? h + i * columns + j : 0, slope);                                                                  \
    }
    SWEEP(tile_6_2, tile_1_2, 2)
    SWEEP(tile_6_1, tile_1_1, 1)
    for (; j < columns; j++) /* what does not fill a vector */
        for (int64_t i = 0; i < rows; i++) {
            float y = bias ? bias[j] : 0;
            for (int64_t k = 0; k < inner; k++) y += a[i * a_row + k * a_column] * b[k * columns + j];
            if (finish == BEND) y = y > 0 ? y : y * slope;
            if (finish == MASK) y = h[i * columns + j] > 0 ? y : y * slope;
            c[i * columns + j] = y;
        }
}

/* c (rows, columns) = a b' + bias for few columns: b is (columns, inner), both with contiguous rows. */
static void dots(int64_t rows, int64_t inner, int64_t columns, const float *a, const float *b, const float *bias,
                 float *c) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            const float *x = a + i * inner, *y = b + j * inner;
            vec sum = spread(0);
            int64_t k = 0;
            for (; k + LANES <= inner; k += LANES) sum += load(x + k) * load(y + k);
            float total = bias ? bias[j] : 0;
            for (int l = 0; l < LANES; l++) total += sum[l];
            for (; k < inner; k++) total += x[k] * y[k];
            c[i * columns + j] = total;
        }
}

static void sums(int64_t rows, int64_t columns, const float *a, float *c) {
    int64_t j = 0;
    for (; j + LANES <= columns; j += LANES) {
        vec sum = spread(0);
        for (int64_t i = 0; i < rows; i++) sum += load(a + i * columns + j);
        store(c + j, sum);
    }
    for (; j < columns; j++) {
        float sum = 0;
        for (int64_t i = 0; i < rows; i++) sum += a[i * columns + j];
        c[j] = sum;
    }
}

void forward(const Pass *p) {
    for (int64_t s = 0; s < p->seeds; s++)
        for (int64_t k = 0; k < p->layers; k++) {
            int64_t in = p->sizes[k], out = p->sizes[k + 1], last = k == p->layers - 1;
            const float *x = p->h[k] + s * p->step[k], *w = p->w[k] + s * in * out, *b = p->b[k] + s * out;
            float *y = last ? p->out + s * p->out_step : p->h[k + 1] + s * p->step[k + 1];
            if (out < in) dots(p->points, in, out, x, w, b, y); /* stored transposed; only the last can be so */
            else product(p->points, in, out, x, in, 1, w, b, y, last ? PLAIN : BEND, 0, p->slope);
        }
}

void backward(const Pass *p) {
    float turned[MOST_WIDTH * MOST_WIDTH];
    int64_t n = p->points;
    for (int64_t s = 0; s < p->seeds; s++) {
        const float *d = p->d + s * p->d_step;
        for (int64_t k = p->layers - 1; k >= 0; k--) {
            int64_t in = p->sizes[k], out = p->sizes[k + 1], flipped = out < in;
            const float *h = p->h[k] + s * p->step[k], *w = p->w[k] + s * in * out;
            if (p->learn) {
                float *gw = p->gw[k] + s * in * out;
                sums(n, out, d, p->gb[k] + s * out);
                if (flipped) product(out, n, in, d, 1, out, h, 0, gw, PLAIN, 0, 0);
                else product(in, n, out, h, 1, in, d, 0, gw, PLAIN, 0, 0);
            }
            if (k > 0) {
                if (!flipped)
                    for (int64_t i = 0; i < in; i++)
                        for (int64_t j = 0; j < out; j++) turned[j * in + i] = w[i * out + j];
                float *below = p->room[k & 1];
                product(n, out, in, d, out, 1, flipped ? w : turned, 0, below, MASK, h, p->slope);
                d = below;
            } else if (p->to) {
                if (flipped) product(n, out, in, d, out, 1, w, 0, p->to + s * p->to_step, PLAIN, 0, 0);
                else dots(n, out, in, d, w, 0, p->to + s * p->to_step);
            }
        }
    }
}
