// B_ef = w_e' P w_f for w_e = Z_t E_e s_t, E_e the derivative of S_t in the entry e: the heart of average information.
#pragma once

#include <vector>

#include "core/sweep.hpp"

namespace me {

class InnerProducts {
  public:
    // tangents[e] is the column of the transform that entry e moves, Lambda as in the sweep; call after down().
    InnerProducts(const Plan &plan, const Sweep<double> &sweep, const Factors<double> &factors,
                  const std::vector<std::vector<double>> &tangents);

    std::vector<double> B;  // d x d
    std::vector<double> q;  // d: s' E_e s

  private:
    void visit(int stage, int node);
    void pass_up(int stage, int node, const double *V);
    void add_root();
    void directions(int block, int level, double *c);  // (k, d), own entries filled, adds to q

    const Plan &plan_;
    const Sweep<double> &sweep_;
    const Factors<double> &factors_;
    const std::vector<std::vector<double>> &tangents_;
    int d_;
    std::vector<std::vector<double>> coupling_, front_;  // by stage: (n_nodes, k, d) and, for the node at hand, (width, d)
    std::vector<double> GX_, GD_;                        // (d, p) and Q x d column-major
    std::vector<double> c_, V_, t_;
};

}  // namespace me
