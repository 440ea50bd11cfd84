#include "core/blas.hpp"
