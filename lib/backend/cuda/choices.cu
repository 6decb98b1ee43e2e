/* choices.cu - what may follow a row of logits, to the device, and what was found there, back. */
#include "backend/cuda/state.h"

int engine_forbid(wh_cuda_engine *e, int mask, const uint32_t *bits)
{
    ENTER(e);
    TRY(to_device(e, e->masks + (size_t)mask * engine_mask_words(e), bits, engine_mask_words(e)));
    return engine_check(e, cudaStreamSynchronize(e->main), "copy to the device");
}

int engine_put_choice(wh_cuda_engine *e, int i, const wh_choice *from, int *listed)
{
    wh_choice *c = &e->choices_host[i];
    *c = *from;
    c->most = from->most < WH_MOST_CHOICES ? from->most : WH_MOST_CHOICES;
    if (from->n_penalized + from->n_also > engine_list_size(e)) {
        snprintf(e->message, sizeof e->message, "a choice names more than %d tokens", engine_list_size(e));
        e->lost = true;
        return WH_CUDA_FAILED;
    }
    c->penalized = e->listed + *listed;
    c->also = c->penalized + c->n_penalized;
    for (int j = 0; j < c->n_penalized; j++)
        e->listed_host[(*listed)++] = from->penalized[j];
    for (int j = 0; j < c->n_also; j++)
        e->listed_host[(*listed)++] = from->also[j];
    return WH_CUDA_OK;
}

int engine_copy_listed(wh_cuda_engine *e, int listed)
{
    return listed ? to_device(e, e->listed, e->listed_host, listed) : WH_CUDA_OK;
}

int engine_queue_choices(wh_cuda_engine *e, int n, bool has_lists)
{
    wh_cuda_choose_call call = {};
    TRY(to_device(e, e->choices, e->choices_host, n));
    call.logits = e->logits, call.n = n;
    call.n_vocab = e->sizes.n_vocab, call.stride = wh_cuda_stride(e->sizes.n_vocab);
    call.words = engine_mask_words(e), call.has_lists = has_lists;
    call.choices = e->choices, call.masks = e->masks;
    call.stats = e->stats, call.ids = e->best;
    wh_cuda_choose(&call, e->main);
    return to_host(e, e->chosen_host, e->choices, n);
}

void engine_take_choice(const wh_cuda_engine *e, int i, wh_choice *to)
{
    const wh_choice *c = &e->chosen_host[i];
    to->n = c->n;
    memcpy(to->ids, c->ids, sizeof to->ids);
    memcpy(to->logprobs, c->logprobs, sizeof to->logprobs);
}
