#include "aac.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>

/* An encoder is opened and freed for every segment, by whatever thread Go's scheduler
 * chose. With an arena a thread glibc would keep the memory of each: a fifth of the
 * process. Nothing here allocates so often that one arena is a bottleneck. */
__attribute__((constructor)) static void one_arena(void)
{
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1);
#endif
}

struct lw_aac {
	AVCodecContext *ctx;
	AVFrame *frame;
	AVPacket *pkt;
	int64_t pts;
};

void lw_aac_free(struct lw_aac *a)
{
	if (!a)
		return;
	avcodec_free_context(&a->ctx);
	av_frame_free(&a->frame);
	av_packet_free(&a->pkt);
	av_free(a);
}

struct lw_aac *lw_aac_new(int rate, int channels, int64_t bitrate, int *err)
{
	struct lw_aac *a = av_mallocz(sizeof *a);
	const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_AAC);

	/* It warns of the frames that Reset leaves behind. */
	av_log_set_level(AV_LOG_ERROR);
	*err = AVERROR(ENOMEM);
	if (!a)
		return NULL;
	if (!codec) {
		*err = AVERROR_ENCODER_NOT_FOUND;
		goto fail;
	}
	a->ctx = avcodec_alloc_context3(codec);
	a->frame = av_frame_alloc();
	a->pkt = av_packet_alloc();
	if (!a->ctx || !a->frame || !a->pkt)
		goto fail;
	a->ctx->sample_rate = rate;
	a->ctx->sample_fmt = AV_SAMPLE_FMT_FLTP;
	a->ctx->bit_rate = bitrate;
	a->ctx->thread_count = 1;
	a->ctx->time_base = (AVRational){1, rate};
	/* BITEXACT leaves the library's version out of the first access unit. */
	a->ctx->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
	av_channel_layout_default(&a->ctx->ch_layout, channels);
	/* The two-loop coder is the default; on tones and on speech it is 4 to 30 dB
	 * further from the sound than this one, and takes three times as long. */
	if ((*err = av_opt_set(a->ctx->priv_data, "aac_coder", "fast", 0)) < 0 ||
	    (*err = avcodec_open2(a->ctx, codec, NULL)) < 0)
		goto fail;
	a->frame->nb_samples = a->ctx->frame_size;
	a->frame->format = a->ctx->sample_fmt;
	a->frame->sample_rate = rate;
	if ((*err = av_channel_layout_copy(&a->frame->ch_layout, &a->ctx->ch_layout)) < 0 ||
	    (*err = av_frame_get_buffer(a->frame, 0)) < 0)
		goto fail;
	return a;
fail:
	lw_aac_free(a);
	return NULL;
}

int lw_aac_frame_size(const struct lw_aac *a) { return a->ctx->frame_size; }

int lw_aac_config(const struct lw_aac *a, uint8_t *out, int cap)
{
	if (a->ctx->extradata_size > cap)
		return AVERROR(ENOSPC);
	memcpy(out, a->ctx->extradata, a->ctx->extradata_size);
	return a->ctx->extradata_size;
}

int lw_aac_encode(struct lw_aac *a, const float *samples, uint8_t *out, int cap)
{
	int n = a->frame->nb_samples, channels = a->frame->ch_layout.nb_channels, err;

	/* The encoder may keep a reference to the last frame. */
	if ((err = av_frame_make_writable(a->frame)) < 0)
		return err;
	for (int c = 0; c < channels; c++) {
		float *plane = (float *)a->frame->extended_data[c];
		for (int i = 0; i < n; i++)
			plane[i] = samples[i * channels + c];
	}
	a->frame->pts = a->pts;
	a->pts += n;
	if ((err = avcodec_send_frame(a->ctx, a->frame)) < 0)
		return err;
	if ((err = avcodec_receive_packet(a->ctx, a->pkt)) < 0)
		return err == AVERROR(EAGAIN) ? 0 : err;
	if (a->pkt->size > cap)
		return AVERROR(ENOSPC);
	memcpy(out, a->pkt->data, a->pkt->size);
	n = a->pkt->size;
	av_packet_unref(a->pkt);
	return n;
}

void lw_aac_error(int err, char *out, int cap) { av_strerror(err, out, cap); }
