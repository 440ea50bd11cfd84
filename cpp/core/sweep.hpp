// One evaluation: up the forest to absorb every level, the root, and down again for the derivatives.
//
// At a level with cross-products A (own), C (with what lies further up), relative covariance S = Lambda Lambda':
//   M = Lambda' A Lambda + I,   K = Lambda M^-1 Lambda',   N = (I + S A)^-1,   H0 = A N;
//   further up loses C' K C.  Down again, with W the part of (S^-1 + A)^-1 further up,
//   H = H0 - N' (C W C') N is this level's block of Z'V^-1Z,  s = N' h its part of Z'Py,  K h its conditional mode.
#pragma once

#include <type_traits>
#include <vector>

#include "core/dense_root.hpp"
#include "core/dual.hpp"
#include "core/plan.hpp"
#include "core/small.hpp"

namespace me {

// Sum of logarithms that takes few of them.
template <class T>
class LogSum {
  public:
    void add(const T &x) {
        product_ *= x;
        if (value(product_) > 1e200 || value(product_) < 1e-200) flush();
    }
    T total() {
        flush();
        return sum_;
    }

  private:
    void flush() {
        sum_ += logarithm(product_);
        product_ = T(1.0);
    }
    T sum_ = T(0.0), product_ = T(1.0);
};

// Large arrays that one evaluation leaves to the next; owned by the caller, one for each thread.
struct Workspace {
    std::vector<double> A, M;
    int n_threads = 1;
};

// Modes and fixed effects under some response.
struct Effects {
    std::vector<std::vector<double>> modes, s;  // by block (n_levels, k): b = S s
    std::vector<double> beta;                   // p
};

template <class T>
class Sweep {
  public:
    Sweep(const Plan &plan, const Response &response, const Factors<T> &factors, Workspace *workspace = nullptr);
    ~Sweep();
    Sweep(const Sweep &) = delete;
    Sweep &operator=(const Sweep &) = delete;

    bool up();                 // false when a factorisation fails
    void down(bool variances);  // after up(): sums over levels, s, modes; conditional variances on request
    void solve();               // after up(), instead of down(): s and modes only
    Effects respond(const Response &response) const;  // after down() or root.differentiate(), T = double

    T log_det() { return log_det_ + root.log_det; }

    struct Level {  // working copies of one stage; the first stage reads the plan itself
        std::vector<T> A, C, CX, Cy;
        std::vector<T> K, N, H0;
        std::vector<T> front, frontX, fronty;       // what children pass on beyond this node, for the node at hand
        std::vector<T> W, WX, Wy;                   // down: what this node hands to its children
    };
    const Level &eliminated(int stage) const { return levels_[stage]; }

    Root<T> root;
    std::vector<std::vector<T>> modes, s;  // by block (n_levels, k)
    std::vector<std::vector<T>> H, UVU, ss;  // by block (k, k): sums of H, of U (X'V^-1X)^-1 U', of s s'
    std::vector<std::vector<T>> variances;   // by block (n_levels, k, k)
    std::vector<std::vector<T>> UU;          // by block (k, k, p, p): sums of U_a U_b', kept on request
    bool want_UU = false;

    friend class InnerProducts;
    friend class RowFunctionals;

  private:

    // A derivative is along S, which Lambda follows only where it is regular: then no factor of M is formed.
    static constexpr bool factored = std::is_same_v<T, double>;

    void visit(int stage, int node);
    template <int KK, class A>
    bool factor_level(int k, const A *own, const T *Lambda, const T *S, T *Km, T *N);
    template <int KK, class A>
    void eliminate(int stage, int node, const A *own, const A *C, const A *CX, const A *Cy);
    template <int KK, bool fronted>
    void pass_up(int stage, int node, int width);
    void scatter();  // to the root, column by column
    bool scatter_crowded();
    bool collect_crowded();
    void collect();  // C W C' of every node, column by column
    void descend(int stage, int node, bool variances);
    template <class A>
    void solve_level(int stage, int node, const A *C, const A *CX, const A *Cy, const T *front);
    void solve_below(int stage, int node, const T *front);
    template <int KK, class A>
    void differentiate(int stage, int node, bool variances, const A *C, const A *CX, const A *Cy);
    template <class A>
    void hand_down(int stage, int node, const A *C, const T *Q1, const T *hX, const T *h);
    void add_UU(int block, int k, const T *U);
    T *s_at(int block, int level, int k) { return &s[block][static_cast<std::size_t>(level) * k]; }

    const Plan &plan_;
    const Response &response_;
    const Factors<T> &factors_;
    Workspace *workspace_ = nullptr;
    int p_, d_;
    bool ok_ = true;
    std::vector<Level> levels_;
    T log_det_ = T(0.0);
    LogSum<T> logs_;
    bool by_column_;
    std::vector<T> scratch_, R_;
    std::vector<T> rows_;       // by column: L^-1 Lambda' C of every node, packed as C
    std::vector<T> left_, left_rows_;  // without a factor: K [C CX Cy] beside [C CX Cy] itself
    std::vector<T> collected_;  // by column: C W C' of every node, (n_nodes, k, k)
};

template <>
Effects Sweep<double>::respond(const Response &response) const;
template <>
bool Sweep<double>::scatter_crowded();
template <>
bool Sweep<Dual>::scatter_crowded();
template <>
bool Sweep<double>::collect_crowded();
template <>
bool Sweep<Dual>::collect_crowded();

}  // namespace me
