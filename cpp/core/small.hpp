// Operations on the small K x K matrices of one level, row-major. K is a compile-time constant where KK > 0.
#pragma once

#include <cmath>

#include "core/dual.hpp"

namespace me::small {

// Lower Cholesky factor in place; false when a pivot is not positive.
template <class T>
bool cholesky(int K, T *m) {
    for (int j = 0; j < K; ++j) {
        T pivot = m[j * K + j];
        for (int k = 0; k < j; ++k) pivot -= m[j * K + k] * m[j * K + k];
        if (!(value(pivot) > 0.0)) return false;
        pivot = root(pivot);
        m[j * K + j] = pivot;
        for (int i = j + 1; i < K; ++i) {
            T sum = m[i * K + j];
            for (int k = 0; k < j; ++k) sum -= m[i * K + k] * m[j * K + k];
            m[i * K + j] = sum / pivot;
        }
    }
    return true;
}

// B <- L^-1 B for a lower factor L and B (K x n), row-major.
template <class T>
void forward_solve(int K, const T *L, int n, T *B) {
    for (int i = 0; i < K; ++i)
        for (int c = 0; c < n; ++c) {
            T sum = B[i * n + c];
            for (int k = 0; k < i; ++k) sum -= L[i * K + k] * B[k * n + c];
            B[i * n + c] = sum / L[i * K + i];
        }
}

// Inverse of a general matrix by Gauss-Jordan elimination with row pivoting; `a` is destroyed. False when singular.
// On request the determinant too.
template <class T>
bool invert(int K, T *a, T *inverse, T *determinant = nullptr) {
    T product(1.0);
    for (int i = 0; i < K; ++i)
        for (int j = 0; j < K; ++j) inverse[i * K + j] = T(i == j ? 1.0 : 0.0);
    for (int j = 0; j < K; ++j) {
        int best = j;
        for (int i = j + 1; i < K; ++i)
            if (std::abs(value(a[i * K + j])) > std::abs(value(a[best * K + j]))) best = i;
        if (!(std::abs(value(a[best * K + j])) > 0.0)) return false;
        if (best != j)
            for (int c = 0; c < K; ++c) {
                std::swap(a[best * K + c], a[j * K + c]);
                std::swap(inverse[best * K + c], inverse[j * K + c]);
            }
        product *= best != j ? -a[j * K + j] : a[j * K + j];
        const T pivot = T(1.0) / a[j * K + j];
        for (int c = 0; c < K; ++c) {
            a[j * K + c] = a[j * K + c] * pivot;
            inverse[j * K + c] = inverse[j * K + c] * pivot;
        }
        for (int i = 0; i < K; ++i) {
            if (i == j) continue;
            const T factor = a[i * K + j];
            for (int c = 0; c < K; ++c) {
                a[i * K + c] -= factor * a[j * K + c];
                inverse[i * K + c] -= factor * inverse[j * K + c];
            }
        }
    }
    if (determinant) *determinant = product;
    return true;
}

}  // namespace me::small
