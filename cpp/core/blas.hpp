// BLAS and LAPACK by function pointers, filled in once by the bindings from SciPy's capsules.
// All matrices are column-major, as LAPACK wants them.
#pragma once

#include <cstddef>

namespace me::blas {

using potrf_t = void(char *uplo, int *n, double *a, int *lda, int *info);
using trtri_t = void(char *uplo, char *diag, int *n, double *a, int *lda, int *info);
using syevd_t = void(char *jobz, char *uplo, int *n, double *a, int *lda, double *w, double *work, int *lwork,
                     int *iwork, int *liwork, int *info);
using geqrf_t = void(int *m, int *n, double *a, int *lda, double *tau, double *work, int *lwork, int *info);
using trsm_t = void(char *side, char *uplo, char *transa, char *diag, int *m, int *n, double *alpha, double *a,
                    int *lda, double *b, int *ldb);
using trmm_t = void(char *side, char *uplo, char *transa, char *diag, int *m, int *n, double *alpha, double *a,
                    int *lda, double *b, int *ldb);
using gemm_t = void(char *transa, char *transb, int *m, int *n, int *k, double *alpha, double *a, int *lda,
                    double *b, int *ldb, double *beta, double *c, int *ldc);
using symm_t = void(char *side, char *uplo, int *m, int *n, double *alpha, double *a, int *lda, double *b, int *ldb,
                    double *beta, double *c, int *ldc);
using symv_t = void(char *uplo, int *n, double *alpha, double *a, int *lda, double *x, int *incx, double *beta,
                    double *y, int *incy);
using syrk_t = void(char *uplo, char *trans, int *n, int *k, double *alpha, double *a, int *lda, double *beta,
                    double *c, int *ldc);

struct Table {
    potrf_t *potrf = nullptr;
    trtri_t *trtri = nullptr;
    syevd_t *syevd = nullptr;
    geqrf_t *geqrf = nullptr;
    trsm_t *trsm = nullptr;
    trmm_t *trmm = nullptr;
    gemm_t *gemm = nullptr;
    symm_t *symm = nullptr;
    symv_t *symv = nullptr;
    syrk_t *syrk = nullptr;
};

inline Table table;

// Cholesky factor of the lower triangle, in place; 0 when done, k > 0 when not positive definite at column k.
inline int potrf_lower(int n, double *a, int lda) {
    char uplo = 'L';
    int info = 0;
    table.potrf(&uplo, &n, a, &lda, &info);
    return info;
}

// Inverse of a lower triangle, in place.
inline int trtri_lower(int n, double *a, int lda) {
    char uplo = 'L', diag = 'N';
    int info = 0;
    table.trtri(&uplo, &diag, &n, a, &lda, &info);
    return info;
}

inline void trsm(char side, char uplo, char trans, char diag, int m, int n, double alpha, const double *a, int lda,
                 double *b, int ldb) {
    if (m == 0 || n == 0) return;
    table.trsm(&side, &uplo, &trans, &diag, &m, &n, &alpha, const_cast<double *>(a), &lda, b, &ldb);
}

// B <- alpha op(A) B (side 'L') or alpha B op(A) (side 'R') for a lower triangle A; B is m x n.
inline void trmm_lower(char side, char trans, int m, int n, double alpha, const double *a, int lda, double *b, int ldb) {
    if (m == 0 || n == 0) return;
    char uplo = 'L', diag = 'N';
    table.trmm(&side, &uplo, &trans, &diag, &m, &n, &alpha, const_cast<double *>(a), &lda, b, &ldb);
}

inline void gemm(char ta, char tb, int m, int n, int k, double alpha, const double *a, int lda, const double *b,
                 int ldb, double beta, double *c, int ldc) {
    if (m == 0 || n == 0) return;
    table.gemm(&ta, &tb, &m, &n, &k, &alpha, const_cast<double *>(a), &lda, const_cast<double *>(b), &ldb, &beta, c,
               &ldc);
}

// C = alpha A B + beta C with A symmetric (m x m, its lower triangle given). A few columns go one by one: the product
// of two matrices would first copy all of A.
inline void symm_left(int m, int n, double alpha, const double *a, int lda, const double *b, int ldb, double beta,
                      double *c, int ldc) {
    if (m == 0 || n == 0) return;
    char side = 'L', uplo = 'L';
    if (n > 8) {
        table.symm(&side, &uplo, &m, &n, &alpha, const_cast<double *>(a), &lda, const_cast<double *>(b), &ldb, &beta, c,
                   &ldc);
        return;
    }
    int one = 1;
    for (int j = 0; j < n; ++j)
        table.symv(&uplo, &m, &alpha, const_cast<double *>(a), &lda, const_cast<double *>(b) + static_cast<std::size_t>(j) * ldb,
                   &one, &beta, c + static_cast<std::size_t>(j) * ldc, &one);
}

// C = alpha B A + beta C with A symmetric (n x n, its lower triangle given), B m x n.
inline void symm_right(int m, int n, double alpha, const double *a, int lda, const double *b, int ldb, double beta,
                       double *c, int ldc) {
    if (m == 0 || n == 0) return;
    char side = 'R', uplo = 'L';
    table.symm(&side, &uplo, &m, &n, &alpha, const_cast<double *>(a), &lda, const_cast<double *>(b), &ldb, &beta, c,
               &ldc);
}

// Lower triangle of C = alpha A A' + beta C (trans 'N', A is n x k) or alpha A'A + beta C (trans 'T', A is k x n).
inline void syrk_lower(char trans, int n, int k, double alpha, const double *a, int lda, double beta, double *c,
                       int ldc) {
    if (n == 0) return;
    char uplo = 'L';
    table.syrk(&uplo, &trans, &n, &k, &alpha, const_cast<double *>(a), &lda, &beta, c, &ldc);
}

}  // namespace me::blas
