package mix_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"longwave/ingest/mix"
	"longwave/ingest/pcm/pcmtest"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	d := newDesk(mix.Options{Metrics: reg})
	d.Add("a", &speaker{tone: pcmtest.Tone{Hz: 1000, Amp: 0.00002}}, mix.LaneOptions{})
	d.Add("broken", broken{-1e9}, mix.LaneOptions{Voice: true})
	d.run(800)
	want := `
# HELP longwave_mix_dead_air_stage Silence although somebody is connected: 1 after 5 s, 2 after 15 s, 3 when the hold took over.
# TYPE longwave_mix_dead_air_stage gauge
longwave_mix_dead_air_stage 2
# HELP longwave_mix_faulty_frames_total Frames of lanes that were thrown away because they held no numbers.
# TYPE longwave_mix_faulty_frames_total counter
longwave_mix_faulty_frames_total 800
# HELP longwave_mix_lanes Lanes on the mixer.
# TYPE longwave_mix_lanes gauge
longwave_mix_lanes 2
# HELP longwave_mix_limiter_gain_db What the limiter did to the last frame; 0 is nothing.
# TYPE longwave_mix_limiter_gain_db gauge
longwave_mix_limiter_gain_db 0
# HELP longwave_mix_live 1 while the lanes are on air, 0 while the hold is.
# TYPE longwave_mix_live gauge
longwave_mix_live 1
# HELP longwave_mix_loudness_lufs Loudness of the programme (EBU R 128), by window.
# TYPE longwave_mix_loudness_lufs gauge
longwave_mix_loudness_lufs{window="integrated"} -70
longwave_mix_loudness_lufs{window="momentary"} -70
longwave_mix_loudness_lufs{window="short_term"} -70
# HELP longwave_mix_speaking_lanes Lanes on air in which somebody speaks.
# TYPE longwave_mix_speaking_lanes gauge
longwave_mix_speaking_lanes 0
# HELP longwave_mix_voices_gain_db Slow gain that brings the live voices to the target loudness.
# TYPE longwave_mix_voices_gain_db gauge
longwave_mix_voices_gain_db 0
`
	names := []string{
		"longwave_mix_dead_air_stage", "longwave_mix_lanes", "longwave_mix_limiter_gain_db", "longwave_mix_live", "longwave_mix_loudness_lufs",
		"longwave_mix_faulty_frames_total", "longwave_mix_speaking_lanes", "longwave_mix_voices_gain_db",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}
