#include "core/cross_products.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "core/blas.hpp"
#include "core/parallel.hpp"

namespace me {
namespace {

constexpr int chunk_rows = 256;

// Consecutive parts of the rows; their number depends on the problem only, so that sums do not depend on threads.
std::vector<std::int64_t> row_parts(std::int64_t n, std::int64_t bytes_per_part) {
    std::int64_t parts = std::clamp<std::int64_t>(n / 32768, 1, 8);
    const std::int64_t allowed = std::max<std::int64_t>(std::int64_t{1} << 26, 8 * n);  // about one column of rows
    while (parts > 1 && parts * bytes_per_part > allowed) --parts;
    std::vector<std::int64_t> edges(parts + 1);
    for (std::int64_t k = 0; k <= parts; ++k) edges[k] = n * k / parts;
    return edges;
}

// A chunk of rows, transformed: columns X R^-1, y - X b0, and each block's Z T^-1, all times sqrt(weight).
class Chunk {
  public:
    Chunk(const Rows &rows, const Basis &basis) : rows_(rows), basis_(basis), p_(static_cast<int>(rows.X.size())) {
        int columns = p_ + 1;
        for (const auto &block : rows.blocks) {
            offset_.push_back(columns);
            columns += static_cast<int>(block.columns.size());
        }
        buffer_.resize(static_cast<std::size_t>(columns) * chunk_rows);
    }

    void load(std::int64_t first, int count) {
        count_ = count;
        for (int c = 0; c < p_; ++c) copy(rows_.X[c], first, column(c));
        double *y = column(p_);
        copy(rows_.y, first, y);
        for (int c = 0; c < p_; ++c) {
            const double *x = column(c);
            const double b = basis_.b0[c];
            for (int r = 0; r < count_; ++r) y[r] -= x[r] * b;
        }
        weigh(first, p_ + 1, 0);
        blas::trsm('R', 'U', 'N', 'N', count_, p_, 1.0, basis_.R.data(), p_, column(0), chunk_rows);
        for (std::size_t f = 0; f < rows_.blocks.size(); ++f) load_block(static_cast<int>(f), first);
    }

    // Only y and the columns of the blocks, which is all that Z'Wy needs besides X.
    const double *X(int c) const { return buffer_.data() + static_cast<std::size_t>(c) * chunk_rows; }
    const double *y() const { return X(p_); }
    const double *Z(int f, int a) const { return X(offset_[f] + a); }
    int count() const { return count_; }

  private:
    double *column(int c) { return buffer_.data() + static_cast<std::size_t>(c) * chunk_rows; }

    void copy(const Column &source, std::int64_t first, double *target) const {
        const double *data = source.data + first * source.stride;
        if (source.stride == 1)
            std::copy(data, data + count_, target);
        else
            for (int r = 0; r < count_; ++r) target[r] = data[r * source.stride];
    }

    void weigh(std::int64_t first, int n_columns, int offset) {
        if (!rows_.weights) return;
        for (int c = offset; c < offset + n_columns; ++c) {
            double *target = column(c);
            for (int r = 0; r < count_; ++r) target[r] *= std::sqrt(rows_.weights[first + r]);
        }
    }

    void load_block(int f, std::int64_t first) {
        const auto &columns = rows_.blocks[f].columns;
        const int k = static_cast<int>(columns.size());
        const auto &T = basis_.T[f];
        for (int a = 0; a < k; ++a) copy(columns[a], first, column(offset_[f] + a));
        weigh(first, k, offset_[f]);
        for (int a = 0; a < k; ++a) {  // Z T^-1, T upper triangular and small
            double *z = column(offset_[f] + a);
            for (int b = 0; b < a; ++b) {
                const double t = T[a * k + b];
                if (t == 0.0) continue;
                const double *other = column(offset_[f] + b);
                for (int r = 0; r < count_; ++r) z[r] -= other[r] * t;
            }
            const double inverse = 1.0 / T[a * k + a];
            for (int r = 0; r < count_; ++r) z[r] *= inverse;
        }
    }

    const Rows &rows_;
    const Basis &basis_;
    int p_, count_ = 0;
    std::vector<int> offset_;
    std::vector<double> buffer_;
};

template <int KK>
void add_rows_to_block(const Chunk &chunk, int f, const std::int32_t *codes, int p, bool response_only, Block &block) {
    const int K = KK ? KK : block.k;
    std::vector<double> z(K);
    for (int r = 0; r < chunk.count(); ++r) {
        const std::size_t j = codes[r];
        for (int a = 0; a < K; ++a) z[a] = chunk.Z(f, a)[r];
        const double y = chunk.y()[r];
        double *Zy = &block.Zy[j * K];
        for (int a = 0; a < K; ++a) Zy[a] += z[a] * y;
        if (response_only) continue;
        double *ZZ = &block.ZZ[j * K * K];
        for (int a = 0; a < K; ++a)
            for (int b = 0; b < K; ++b) ZZ[a * K + b] += z[a] * z[b];
        double *ZX = block.ZX.data() + j * K * p;
        for (int a = 0; a < K; ++a)
            for (int c = 0; c < p; ++c) ZX[a * p + c] += z[a] * chunk.X(c)[r];
    }
}

void add_rows(const Chunk &chunk, const Rows &rows, std::int64_t first, bool response_only, CrossProducts &out) {
    const int p = out.p;
    const double *y = chunk.y();
    for (int r = 0; r < chunk.count(); ++r) out.yy += y[r] * y[r];
    for (int c = 0; c < p; ++c) {
        const double *x = chunk.X(c);
        double sum = 0.0;
        for (int r = 0; r < chunk.count(); ++r) sum += x[r] * y[r];
        out.Xy[c] += sum;
    }
    if (!response_only && p > 0)
        blas::syrk_lower('T', p, chunk.count(), 1.0, chunk.X(0), chunk_rows, 1.0, out.XX.data(), p);
    for (std::size_t f = 0; f < rows.blocks.size(); ++f) {
        const std::int32_t *codes = rows.blocks[f].codes + first;
        auto &block = out.blocks[f];
        const int g = static_cast<int>(f);
        switch (block.k) {
            case 1: add_rows_to_block<1>(chunk, g, codes, p, response_only, block); break;
            case 2: add_rows_to_block<2>(chunk, g, codes, p, response_only, block); break;
            case 3: add_rows_to_block<3>(chunk, g, codes, p, response_only, block); break;
            default: add_rows_to_block<0>(chunk, g, codes, p, response_only, block);
        }
    }
}

CrossProducts zeros(const Rows &rows, bool response_only) {
    CrossProducts out;
    out.p = static_cast<int>(rows.X.size());
    out.Xy.assign(out.p, 0.0);
    if (!response_only) out.XX.assign(static_cast<std::size_t>(out.p) * out.p, 0.0);
    for (const auto &source : rows.blocks) {
        Block block;
        block.n_levels = source.n_levels;
        block.k = static_cast<int>(source.columns.size());
        const std::size_t q = static_cast<std::size_t>(block.n_levels) * block.k;
        block.Zy.assign(q, 0.0);
        if (!response_only) {
            block.ZZ.assign(q * block.k, 0.0);
            block.ZX.assign(q * out.p, 0.0);
        }
        out.blocks.push_back(std::move(block));
    }
    return out;
}

void accumulate(const Rows &rows, const Basis &basis, std::int64_t first, std::int64_t last, bool response_only,
                CrossProducts &out) {
    Chunk chunk(rows, basis);
    for (std::int64_t row = first; row < last; row += chunk_rows) {
        const int count = static_cast<int>(std::min<std::int64_t>(chunk_rows, last - row));
        chunk.load(row, count);
        add_rows(chunk, rows, row, response_only, out);
    }
}

void add_vector(std::vector<double> &to, const std::vector<double> &from) {
    for (std::size_t k = 0; k < to.size(); ++k) to[k] += from[k];
}

void add_dense_parts(CrossProducts &to, const CrossProducts &from) {
    add_vector(to.XX, from.XX);
    add_vector(to.Xy, from.Xy);
    to.yy += from.yy;
    for (std::size_t f = 0; f < to.blocks.size(); ++f) {
        add_vector(to.blocks[f].ZZ, from.blocks[f].ZZ);
        add_vector(to.blocks[f].ZX, from.blocks[f].ZX);
        add_vector(to.blocks[f].Zy, from.blocks[f].Zy);
    }
}

// The parts are the same with the response alone, so that its sums are too.
CrossProducts accumulate_parts(const Rows &rows, const Basis &basis, bool response_only, int n_threads) {
    std::int64_t bytes = 0;
    for (const auto &block : rows.blocks) {
        const std::int64_t k = static_cast<std::int64_t>(block.columns.size());
        bytes += 8 * block.n_levels * k * (k + static_cast<std::int64_t>(rows.X.size()));
    }
    const auto edges = row_parts(rows.n, bytes);
    const int n_parts = static_cast<int>(edges.size()) - 1;
    CrossProducts out = zeros(rows, response_only);
    std::vector<CrossProducts> parts(n_parts);
    for_each_task(n_parts, n_threads, [&](int t) {
        if (t > 0) parts[t] = zeros(rows, response_only);
        accumulate(rows, basis, edges[t], edges[t + 1], response_only, t > 0 ? parts[t] : out);
    });
    for (int t = 1; t < n_parts; ++t) {
        add_dense_parts(out, parts[t]);
        parts[t] = CrossProducts();
    }
    return out;
}

// One transformed row of a block, gathered from the caller's columns.
void gather_row(const Rows &rows, const Basis &basis, int f, std::int64_t row, double *z) {
    const auto &columns = rows.blocks[f].columns;
    const int k = static_cast<int>(columns.size());
    const auto &T = basis.T[f];
    const double weight = rows.weights ? std::sqrt(rows.weights[row]) : 1.0;
    for (int a = 0; a < k; ++a) {
        double value = columns[a][row] * weight;
        for (int b = 0; b < a; ++b) value -= z[b] * T[a * k + b];
        z[a] = value / T[a * k + a];
    }
}

struct RowOrder {  // rows sorted by the level of one factor
    std::vector<std::int64_t> start;
    std::vector<std::int32_t> row;
};

RowOrder order_rows(const BlockRows &block, std::int64_t n) {
    RowOrder order;
    order.start.assign(block.n_levels + 1, 0);
    for (std::int64_t r = 0; r < n; ++r) ++order.start[block.codes[r] + 1];
    std::partial_sum(order.start.begin(), order.start.end(), order.start.begin());
    order.row.resize(n);
    auto next = order.start;
    for (std::int64_t r = 0; r < n; ++r) order.row[next[block.codes[r]]++] = static_cast<std::int32_t>(r);
    return order;
}

// The entries of one pair for a range of levels of f; `seen` has one place for each level of g.
void pair_levels(const Rows &rows, const Basis &basis, int f, int g, const RowOrder &order, int first, int last,
                 std::vector<std::int32_t> &seen, Pair &out, std::int64_t *counts) {
    const int kf = static_cast<int>(rows.blocks[f].columns.size()), kg = static_cast<int>(rows.blocks[g].columns.size());
    const std::int32_t *codes = rows.blocks[g].codes;
    std::vector<double> zf(kf), zg(kg), value;
    std::vector<std::int32_t> level, rank;
    for (int j = first; j < last; ++j) {
        level.clear();
        value.clear();
        for (std::int64_t at = order.start[j]; at < order.start[j + 1]; ++at) {
            const std::int64_t row = order.row[at];
            const std::int32_t l = codes[row];
            if (seen[l] < 0) {
                seen[l] = static_cast<std::int32_t>(level.size());
                level.push_back(l);
                value.resize(value.size() + static_cast<std::size_t>(kf) * kg, 0.0);
            }
            gather_row(rows, basis, f, row, zf.data());
            gather_row(rows, basis, g, row, zg.data());
            double *target = &value[static_cast<std::size_t>(seen[l]) * kf * kg];
            for (int a = 0; a < kf; ++a)
                for (int b = 0; b < kg; ++b) target[a * kg + b] += zf[a] * zg[b];
        }
        rank.resize(level.size());
        std::iota(rank.begin(), rank.end(), 0);
        std::sort(rank.begin(), rank.end(), [&](int a, int b) { return level[a] < level[b]; });
        for (int k : rank) {
            out.level.push_back(level[k]);
            const double *source = &value[static_cast<std::size_t>(k) * kf * kg];
            out.value.insert(out.value.end(), source, source + static_cast<std::size_t>(kf) * kg);
        }
        for (int l : level) seen[l] = -1;
        counts[j + 1] = static_cast<std::int64_t>(level.size());
    }
}

Pair pair_products(const Rows &rows, const Basis &basis, int f, int g, const RowOrder &order, int n_threads) {
    const int J = rows.blocks[f].n_levels;
    const int n_tasks = std::min(J, std::max(1, n_threads));
    std::vector<Pair> parts(n_tasks);
    Pair out;
    out.start.assign(J + 1, 0);
    for_each_task(n_tasks, n_threads, [&](int t) {
        std::vector<std::int32_t> seen(rows.blocks[g].n_levels, -1);
        const auto edge = [&](int k) { return static_cast<int>(static_cast<std::int64_t>(J) * k / n_tasks); };
        pair_levels(rows, basis, f, g, order, edge(t), edge(t + 1), seen, parts[t], out.start.data());
    });
    std::partial_sum(out.start.begin(), out.start.end(), out.start.begin());
    for (auto &part : parts) {
        out.level.insert(out.level.end(), part.level.begin(), part.level.end());
        out.value.insert(out.value.end(), part.value.begin(), part.value.end());
        part = Pair();
    }
    return out;
}

Pair add_pairs(const Pair &a, const Pair &b, int J, std::size_t size) {
    Pair out;
    out.start.assign(J + 1, 0);
    auto append = [&](const Pair &from, std::int64_t at) {
        out.level.push_back(from.level[at]);
        out.value.insert(out.value.end(), from.value.begin() + at * size, from.value.begin() + (at + 1) * size);
    };
    for (int j = 0; j < J; ++j) {
        std::int64_t x = a.start[j], y = b.start[j];
        while (x < a.start[j + 1] || y < b.start[j + 1]) {
            const bool take_a = y == b.start[j + 1] || (x < a.start[j + 1] && a.level[x] <= b.level[y]);
            const bool both = take_a && y < b.start[j + 1] && a.level[x] == b.level[y];
            append(take_a ? a : b, take_a ? x : y);
            if (both)
                for (std::size_t k = 0; k < size; ++k) out.value[out.value.size() - size + k] += b.value[y * size + k];
            x += take_a;
            y += !take_a || both;
        }
        out.start[j + 1] = static_cast<std::int64_t>(out.level.size());
    }
    return out;
}

// Householder QR of `filled` rows (column-major, leading dimension `rows`), leaving R on top and zeros below.
void reduce(int rows, int filled, int c, std::vector<double> &a, std::vector<double> &tau, std::vector<double> &work) {
    int m = filled, n = c, lda = rows, lwork = static_cast<int>(work.size()), info = 0;
    blas::table.geqrf(&m, &n, a.data(), &lda, tau.data(), work.data(), &lwork, &info);
    for (int j = 0; j < c; ++j)
        for (int i = j + 1; i < std::min(filled, c); ++i) a[static_cast<std::size_t>(j) * rows + i] = 0.0;
}

}  // namespace

std::vector<double> triangular_factor(std::int64_t n, const std::vector<Column> &columns, const double *weights,
                                      int n_threads) {
    const int c = static_cast<int>(columns.size());
    std::vector<double> R(static_cast<std::size_t>(c) * c, 0.0);
    if (c == 0) return R;
    const auto edges = row_parts(n, 8 * static_cast<std::int64_t>(c) * c);
    const int n_parts = static_cast<int>(edges.size()) - 1;
    const int step = std::max(512, 2 * c), lda = step + c;
    std::vector<std::vector<double>> part(n_parts);
    for_each_task(n_parts, n_threads, [&](int t) {
        std::vector<double> a(static_cast<std::size_t>(lda) * c, 0.0), tau(c), work(64 * static_cast<std::size_t>(c));
        int top = 0;
        for (std::int64_t row = edges[t]; row < edges[t + 1]; row += step) {
            const int count = static_cast<int>(std::min<std::int64_t>(step, edges[t + 1] - row));
            for (int j = 0; j < c; ++j) {
                double *target = &a[static_cast<std::size_t>(j) * lda + top];
                for (int r = 0; r < count; ++r)
                    target[r] = columns[j][row + r] * (weights ? std::sqrt(weights[row + r]) : 1.0);
            }
            reduce(lda, top + count, c, a, tau, work);
            top = std::min(c, top + count);
        }
        part[t].assign(static_cast<std::size_t>(c) * c, 0.0);
        for (int j = 0; j < c; ++j)
            for (int i = 0; i <= std::min(j, top - 1); ++i) part[t][j * c + i] = a[static_cast<std::size_t>(j) * lda + i];
    });
    R = part[0];
    std::vector<double> a(static_cast<std::size_t>(2 * c) * c), tau(c), work(64 * static_cast<std::size_t>(c));
    for (int t = 1; t < n_parts; ++t) {
        for (int j = 0; j < c; ++j)
            for (int i = 0; i < c; ++i) {
                a[static_cast<std::size_t>(j) * 2 * c + i] = R[j * c + i];
                a[static_cast<std::size_t>(j) * 2 * c + c + i] = part[t][j * c + i];
            }
        reduce(2 * c, 2 * c, c, a, tau, work);
        for (int j = 0; j < c; ++j)
            for (int i = 0; i <= j; ++i) R[j * c + i] = a[static_cast<std::size_t>(j) * 2 * c + i];
    }
    return R;
}

CrossProducts cross_products(const Rows &rows, const Basis &basis, int n_threads) {
    if (rows.n > 2147483647) throw std::length_error("more than 2^31 - 1 rows in one batch");
    CrossProducts out = accumulate_parts(rows, basis, false, n_threads);
    out.n = rows.n;
    for (int c = 0; c < out.p; ++c)
        for (int d = 0; d < c; ++d) out.XX[c * out.p + d] = out.XX[d * out.p + c];
    if (rows.weights)
        for (std::int64_t r = 0; r < rows.n; ++r) out.sum_log_weights += std::log(rows.weights[r]);
    const int F = static_cast<int>(rows.blocks.size());
    for (int f = 0; f + 1 < F; ++f) {
        const RowOrder order = order_rows(rows.blocks[f], rows.n);
        for (int g = f + 1; g < F; ++g) out.pairs.push_back(pair_products(rows, basis, f, g, order, n_threads));
    }
    return out;
}

Response response_products(const Rows &rows, const Basis &basis, int n_threads) {
    CrossProducts fresh = accumulate_parts(rows, basis, true, n_threads);
    Response out{std::move(fresh.Xy), fresh.yy, {}};
    for (auto &block : fresh.blocks) out.Zy.push_back(std::move(block.Zy));
    return out;
}

CrossProducts add(const CrossProducts &a, const CrossProducts &b) {
    if (a.p != b.p || a.blocks.size() != b.blocks.size())
        throw std::invalid_argument("cross-products of different designs cannot be added");
    for (std::size_t f = 0; f < a.blocks.size(); ++f)
        if (a.blocks[f].n_levels != b.blocks[f].n_levels || a.blocks[f].k != b.blocks[f].k)
            throw std::invalid_argument("cross-products over different levels cannot be added");
    CrossProducts out = a;
    add_dense_parts(out, b);
    out.n += b.n;
    out.sum_log_weights += b.sum_log_weights;
    const int F = static_cast<int>(a.blocks.size());
    for (int f = 0, at = 0; f < F; ++f)
        for (int g = f + 1; g < F; ++g, ++at)
            out.pairs[at] = add_pairs(a.pairs[at], b.pairs[at], a.blocks[f].n_levels,
                                      static_cast<std::size_t>(a.blocks[f].k) * a.blocks[g].k);
    return out;
}

}  // namespace me
