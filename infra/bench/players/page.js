// What the players' pages have in common: a button that begins, and the event by which
// the acoustic meter knows that the page is ready and whether its player has given up.
{
  const tell = (phase) => {
    const detail = { engine: 'ready', phase };
    dispatchEvent(new CustomEvent('longwave:state', { detail }));
  };

  /** play(audio, url, dead) begins; dead(why) says that the player has given up. */
  globalThis.onPress = (play) => {
    const audio = document.querySelector('audio');
    const url = new URLSearchParams(location.search).get('url');
    const dead = (why) => {
      console.error(`gave up: ${why}`);
      tell('dead');
    };
    audio.addEventListener('playing', () => tell('playing'));
    document.querySelector('#toggle').addEventListener('click', () => {
      tell('pressed');
      Promise.resolve(play(audio, url, dead)).catch((e) => dead(e.message || e.code));
    });
    addEventListener('load', () => tell('ready'));
  };
}
