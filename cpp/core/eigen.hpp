// Eigenvalues and eigenvectors of a small symmetric matrix.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "core/blas.hpp"

namespace me {

struct Eigen {
    std::vector<double> values, vectors;  // ascending; vectors column-major
};

inline Eigen eigen(std::vector<double> a, int n) {
    Eigen out;
    out.values.resize(n);
    if (n == 1) {
        out.values[0] = a[0];
        out.vectors = {1.0};
        return out;
    }
    char job = 'V', uplo = 'L';
    int lwork = 1 + 6 * n + 2 * n * n, liwork = 3 + 5 * n, info = 0;
    std::vector<double> work(lwork);
    std::vector<int> iwork(liwork);
    blas::table.syevd(&job, &uplo, &n, a.data(), &n, out.values.data(), work.data(), &lwork, iwork.data(), &liwork, &info);
    if (info != 0) std::fill(out.values.begin(), out.values.end(), std::numeric_limits<double>::quiet_NaN());
    out.vectors = std::move(a);
    return out;
}

}  // namespace me
