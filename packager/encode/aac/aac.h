#ifndef LW_AAC_H
#define LW_AAC_H

#include <stdint.h>

struct lw_aac;

/* lw_aac_new opens libavcodec's AAC-LC encoder; NULL and *err when it fails. */
struct lw_aac *lw_aac_new(int rate, int channels, int64_t bitrate, int *err);
void lw_aac_free(struct lw_aac *a);
int lw_aac_frame_size(const struct lw_aac *a);
/* lw_aac_config copies the AudioSpecificConfig to out and returns its size. */
int lw_aac_config(const struct lw_aac *a, uint8_t *out, int cap);
/* lw_aac_encode feeds one frame of interleaved samples and copies the access
 * unit that it completes to out: its size, 0 when there is none yet, or < 0. */
int lw_aac_encode(struct lw_aac *a, const float *samples, uint8_t *out, int cap);
void lw_aac_error(int err, char *out, int cap);

#endif
