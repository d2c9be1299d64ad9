#ifndef LW_OPUS_ENCODER_H
#define LW_OPUS_ENCODER_H

#include <opus.h>

/* lw_opus_new opens an encoder for the AUDIO application with constrained VBR;
 * signal is OPUS_SIGNAL_VOICE or OPUS_SIGNAL_MUSIC. */
static OpusEncoder *lw_opus_new(int rate, int channels, int bitrate, int signal, int *err)
{
	OpusEncoder *e = opus_encoder_create(rate, channels, OPUS_APPLICATION_AUDIO, err);

	if (!e)
		return NULL;
	if ((*err = opus_encoder_ctl(e, OPUS_SET_BITRATE(bitrate))) == OPUS_OK &&
	    (*err = opus_encoder_ctl(e, OPUS_SET_VBR(1))) == OPUS_OK &&
	    (*err = opus_encoder_ctl(e, OPUS_SET_VBR_CONSTRAINT(1))) == OPUS_OK &&
	    (*err = opus_encoder_ctl(e, OPUS_SET_SIGNAL(signal))) == OPUS_OK)
		return e;
	opus_encoder_destroy(e);
	return NULL;
}

static int lw_opus_reset(OpusEncoder *e) { return opus_encoder_ctl(e, OPUS_RESET_STATE); }

static int lw_opus_effort(OpusEncoder *e, int effort) { return opus_encoder_ctl(e, OPUS_SET_COMPLEXITY(effort)); }

static int lw_opus_lookahead(OpusEncoder *e)
{
	opus_int32 n = -1;

	return opus_encoder_ctl(e, OPUS_GET_LOOKAHEAD(&n)) == OPUS_OK ? n : -1;
}

#endif
