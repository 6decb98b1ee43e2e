/* enter.cu - what a call from the host begins and ends with: the engine's device becomes the calling thread's, and what was
 * the thread's before is again when the call returns. A thread of a program that uses CUDA itself does not notice.
 *
 * It is the driver that knows which context is a thread's, whichever of several runtimes set it; a thread without one stays
 * without. (cudaGetDevice() says 0 then, and cudaSetDevice(0) would make a context on a device that nobody asked for.) */
#include "backend/cuda/state.h"

typedef CUresult (*get_current)(CUcontext *);
typedef CUresult (*set_current)(CUcontext);

static void *driver_function(const char *name)
{
    void *function = NULL;
    cudaDriverEntryPointQueryResult result;
    if (cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &result)) {
        cudaGetLastError();
        return NULL;
    }
    return function;
}

engine_visit::engine_visit(wh_cuda_engine *e) : before(NULL), rc(WH_CUDA_FAILED)
{
    static const get_current get = (get_current)driver_function("cuCtxGetCurrent");
    if (get && get(&before))
        before = NULL;
    if (!e->lost)
        rc = engine_check(e, cudaSetDevice(e->device), "device");
}

engine_visit::~engine_visit()
{
    static const set_current set = (set_current)driver_function("cuCtxSetCurrent");
    WH_UNLESS_MUTANT(19, if (set) set(before));
}
