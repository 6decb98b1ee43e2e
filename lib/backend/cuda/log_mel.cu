/* log_mel.cu - samples to frames of log-Mel, beside whatever else the engine does. */
#include "backend/cuda/state.h"

#include <mutex>
#include <new>

/* Log-Mel on the device: a stream, memory and a lock of its own, since the thread that reads a recording is another
 * than the one that transcribes it. */
struct Mel {
    std::mutex lock;
    cudaStream_t stream;
    float *tables, *filters; /* device */
    int32_t *ranges;
    float *samples_host, *out_host; /* pinned: MEL_FRAMES of them */
    float *samples, *out;
};

void engine_free_mel(Mel *m)
{
    if (!m)
        return;
    cudaFree(m->tables);
    cudaFree(m->filters);
    cudaFree(m->ranges);
    cudaFree(m->samples);
    cudaFree(m->out);
    cudaFreeHost(m->samples_host);
    cudaFreeHost(m->out_host);
    if (m->stream)
        cudaStreamDestroy(m->stream);
    delete m;
}

static const size_t mel_samples = 400 + 160 * (MEL_FRAMES - 1);

static int plan_mel(wh_cuda_engine *e, Mel *m, const float *filters)
{
    int bands = e->sizes.n_mels, bins = 201;
    size_t n_tables = wh_cuda_log_mel_tables(NULL), n_filters = (size_t)bands * bins;
    TRY(engine_check(e, cudaStreamCreateWithFlags(&m->stream, cudaStreamNonBlocking), "stream"));
    TRY(device_array(e, &m->tables, n_tables));
    TRY(device_array(e, &m->filters, n_filters));
    TRY(device_array(e, &m->ranges, 2 * (size_t)bands));
    TRY(device_array(e, &m->samples, mel_samples));
    TRY(device_array(e, &m->out, (size_t)MEL_FRAMES * bands));
    TRY(pinned_array(e, &m->samples_host, mel_samples));
    TRY(pinned_array(e, &m->out_host, (size_t)MEL_FRAMES * bands));
    float *tables = (float *)malloc(n_tables * sizeof *tables);
    int32_t *ranges = (int32_t *)malloc(2 * (size_t)bands * sizeof *ranges);
    cudaError_t error = cudaErrorMemoryAllocation;
    if (tables && ranges) {
        wh_cuda_log_mel_tables(tables);
        for (int b = 0; b < bands; b++) {
            int first = 0, end = bins;
            while (first < end && filters[b * bins + first] == 0)
                first++;
            while (end > first && filters[b * bins + end - 1] == 0)
                end--;
            ranges[2 * b] = first, ranges[2 * b + 1] = end;
        }
        error = cudaMemcpyAsync(m->tables, tables, n_tables * sizeof *tables, cudaMemcpyHostToDevice, m->stream);
        if (!error)
            error = cudaMemcpyAsync(m->ranges, ranges, 2 * (size_t)bands * sizeof *ranges, cudaMemcpyHostToDevice,
                                    m->stream);
        if (!error)
            error = cudaMemcpyAsync(m->filters, filters, n_filters * sizeof *filters, cudaMemcpyHostToDevice,
                                    m->stream);
        if (!error)
            error = cudaStreamSynchronize(m->stream);
    }
    free(tables);
    free(ranges);
    return engine_check(e, error, "log-Mel's tables");
}

int engine_load_filters(wh_cuda_engine *e, const float *filters)
{
    ENTER(e);
    Mel *m = new (std::nothrow) Mel();
    int rc = m ? plan_mel(e, m, filters) : engine_check(e, cudaErrorMemoryAllocation, "host memory");
    if (rc)
        engine_free_mel(m);
    else
        e->mel_maker = m;
    return rc;
}

int engine_log_mel(wh_cuda_engine *e, const float *samples, int frames, float *out)
{
    Mel *m = e->mel_maker;
    if (!m || frames < 1 || frames > MEL_FRAMES)
        return WH_CUDA_FAILED;
    std::lock_guard<std::mutex> hold(m->lock);
    size_t n = 400 + 160 * (size_t)(frames - 1), n_out = (size_t)frames * e->sizes.n_mels;
    wh_cuda_log_mel_call call = {m->samples, m->tables, m->filters, m->ranges, frames, e->sizes.n_mels, m->out};
    engine_visit visit(e);
    if (visit.rc)
        return WH_CUDA_FAILED;
    memcpy(m->samples_host, samples, n * sizeof *samples);
    if (cudaMemcpyAsync(m->samples, m->samples_host, n * sizeof *samples, cudaMemcpyHostToDevice, m->stream))
        return WH_CUDA_FAILED;
    wh_cuda_log_mel(&call, m->stream);
    if (WH_MUTATE(20, cudaGetLastError(), cudaSuccess)) /* a launch says nothing else, and m->out has older frames */
        return WH_CUDA_FAILED;
    if (cudaMemcpyAsync(m->out_host, m->out, n_out * sizeof *out, cudaMemcpyDeviceToHost, m->stream) ||
        cudaStreamSynchronize(m->stream))
        return WH_CUDA_FAILED;
    memcpy(out, m->out_host, n_out * sizeof *out);
    return WH_CUDA_OK;
}
