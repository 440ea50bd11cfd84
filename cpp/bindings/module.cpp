// The compiled module: fills in the BLAS table from SciPy's capsules and registers each topic's functions.
#include <nanobind/nanobind.h>

#include "core/blas.hpp"

namespace nb = nanobind;

void register_cross_products(nb::module_ &m);
void register_criterion(nb::module_ &m);
void register_deletion(nb::module_ &m);
void register_glmm(nb::module_ &m);
void register_optimize(nb::module_ &m);

namespace {

template <class F>
void take(F *&slot, const char *module, const char *name) {
    nb::object capsule = nb::module_::import_(module).attr("__pyx_capi__")[name];
    void *pointer = PyCapsule_GetPointer(capsule.ptr(), PyCapsule_GetName(capsule.ptr()));
    if (!pointer) throw nb::python_error();
    slot = reinterpret_cast<F *>(pointer);
}

}  // namespace

NB_MODULE(_core, m) {
    const char *lapack = "scipy.linalg.cython_lapack", *blas = "scipy.linalg.cython_blas";
    auto &t = me::blas::table;
    take(t.potrf, lapack, "dpotrf");
    take(t.trtri, lapack, "dtrtri");
    take(t.syevd, lapack, "dsyevd");
    take(t.geqrf, lapack, "dgeqrf");
    take(t.trsm, blas, "dtrsm");
    take(t.trmm, blas, "dtrmm");
    take(t.gemm, blas, "dgemm");
    take(t.symm, blas, "dsymm");
    take(t.symv, blas, "dsymv");
    take(t.syrk, blas, "dsyrk");
    register_cross_products(m);
    register_criterion(m);
    register_deletion(m);
    register_glmm(m);
    register_optimize(m);
}
