#!/usr/bin/env bash
# Makes infra/demo/conversation.ogg: a short interview, spoken by two synthesised
# voices, that loops without a seam. Needs espeak-ng, sox and ffmpeg; the text
# below was written for it and stands under the project's licence.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# who | pause after it in seconds | text. M: Maren, who asks. A: Arthur, the
# keeper. D: Maren once more, in German.
conversation='
M|0.45|Good evening. This is the lighthouse hour. I am Maren, and with me at the table is Arthur, who keeps the light at Farrow Point.
A|0.50|Good evening, Maren. Thank you for having me.
M|0.55|Arthur, a lighthouse with a radio station in it. How did that begin?
A|0.30|With the fog, really. When you cannot see the light, you can still hear a voice.
A|0.60|So one winter I read out the weather, every evening at eight. And people stayed to listen.
M|0.50|At eight sharp?
A|0.40|At eight sharp. A lamp that comes on late is no use to anybody. I thought the same should hold for the voice.
M|0.55|And if something breaks? The sea is not kind to cables.
A|0.35|Then there are two of everything. Two lamps, two batteries, two ways to the mainland.
A|0.60|One of them fails every year. In thirty years, nobody out there has noticed.
M|0.45|What do you play when nobody is in the room?
A|0.55|A little music, and the sound of the bell. Never silence. Silence makes a sailor turn the set off.
M|0.40|We have listeners on the other shore as well. For them:
D|0.60|Guten Abend, und willkommen an unserem Tisch.
A|0.45|I wish I could say that half as well.
M|0.50|One last question. How many people hear you?
A|0.35|Honestly? I know how many sets were switched on. Who was listening, I would not dare to claim.
M|0.60|Arthur, thank you. We put the kettle on, and then we begin again.
A|0.90|Gladly. The light stays on.
'

# speak WHO TEXT FILE: one line as a 48 kHz mono file without silence around it.
speak() {
  local voice
  case $1 in
  M) voice=(-v en-gb-x-rp+f2 -s 158 -p 58 -a 120) ;;
  D) voice=(-v de+f2 -s 150 -p 56 -a 120) ;;
  A) voice=(-v en-gb-scotland+m3 -s 148 -p 30 -a 120) ;;
  esac
  espeak-ng "${voice[@]}" -w "$tmp/raw.wav" "$2"
  sox -R "$tmp/raw.wav" -r 48000 -b 16 "$3" \
    gain -6 silence 1 0.02 0.1% fade 0.005 reverse silence 1 0.02 0.1% fade 0.02 reverse \
    highpass 90 equalizer 3200 1.2q -3 treble -2 norm -6
}

# A file a voice: its lines, and silence while the other one speaks.
n=0
tracks_a=() tracks_m=()
sox -R -n -r 48000 -c 1 -b 16 "$tmp/lead.wav" trim 0 0.4
while IFS='|' read -r who pause text; do
  [ -n "$who" ] || continue
  n=$((n + 1))
  speak "$who" "$text" "$tmp/line.wav"
  sox -R "$tmp/line.wav" "$tmp/$n.wav" pad 0 "$pause"
  sox -R "$tmp/$n.wav" "$tmp/$n-silent.wav" vol 0
  case $who in
  A) tracks_a+=("$tmp/$n.wav") tracks_m+=("$tmp/$n-silent.wav") ;;
  *) tracks_a+=("$tmp/$n-silent.wav") tracks_m+=("$tmp/$n.wav") ;;
  esac
done <<<"$conversation"
sox -R "$tmp/lead.wav" "${tracks_a[@]}" "$tmp/a.wav"
sox -R "$tmp/lead.wav" "${tracks_m[@]}" "$tmp/m.wav"

# loudness FILE: integrated, in LUFS (EBU R 128).
loudness() {
  ffmpeg -hide_banner -nostdin -i "$1" -af ebur128=framelog=verbose -f null - 2>&1 |
    sed -n 's/^ *I: *\(-[0-9.]*\) LUFS$/\1/p' | tail -n 1
}

# gain FILE WANTED: decibels from one to the other.
gain() { awk -v have="$(loudness "$1")" -v want="$2" 'BEGIN { printf "%.2f", want - have }'; }

# Both voices at the same loudness, a little left and right, in a small room that
# is never quite silent. Loudness of stereo is the sum over channels, hence the
# last gain.
duration=$(soxi -D "$tmp/a.wav")
ffmpeg -v error -nostdin -y -i "$tmp/m.wav" -i "$tmp/a.wav" \
  -f lavfi -i "anoisesrc=color=brown:amplitude=0.004:seed=7:sample_rate=48000:duration=$duration" \
  -f lavfi -i "anoisesrc=color=brown:amplitude=0.004:seed=8:sample_rate=48000:duration=$duration" \
  -filter_complex "
    [0]volume=$(gain "$tmp/m.wav" -20)dB,pan=stereo|c0=0.79*c0|c1=0.61*c0[m];
    [1]volume=$(gain "$tmp/a.wav" -20)dB,pan=stereo|c0=0.61*c0|c1=0.79*c0[a];
    [m][a]amix=2:normalize=0,aecho=1:0.9:17|29:0.10|0.06[voices];
    [2][3]amerge=2[room];
    [voices][room]amix=2:normalize=0:duration=shortest" -c:a pcm_f32le "$tmp/mix.wav"
ffmpeg -v error -nostdin -y -i "$tmp/mix.wav" \
  -af "volume=$(gain "$tmp/mix.wav" -20)dB,alimiter=limit=0.84:attack=3:release=60:level=false" \
  -c:a libopus -b:a 40k -vbr on -application audio -page_duration 200000 \
  -map_metadata -1 -metadata title="The lighthouse hour" -metadata artist="Longwave" \
  -fflags +bitexact -flags:a +bitexact "$here/conversation.ogg"

printf 'conversation.ogg: %.1f s, %d bytes, %s LUFS\n' "$duration" \
  "$(stat -c %s "$here/conversation.ogg")" "$(loudness "$here/conversation.ogg")"
