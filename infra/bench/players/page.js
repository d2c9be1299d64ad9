// What the players' pages have in common: a button that begins, and the event by which
// the acoustic meter knows that the page is ready and whether its player has given up.
{
  const tell = (phase) => {
    const detail = { engine: 'ready', phase };
    dispatchEvent(new CustomEvent('longwave:state', { detail }));
  };

  /** play(audio, url, dead, urls) begins; dead(why) says that the player has given up; of urls the first is url. */
  globalThis.onPress = (play) => {
    const audio = document.querySelector('audio');
    const urls = new URLSearchParams(location.search).getAll('url');
    const dead = (why) => {
      console.error(`gave up: ${why}`);
      tell('dead');
    };
    audio.addEventListener('playing', () => tell('playing'));
    document.querySelector('#toggle').addEventListener('click', () => {
      tell('pressed');
      Promise.resolve(play(audio, urls[0], dead, urls)).catch((e) => dead(e.message || e.code));
    });
    addEventListener('load', () => tell('ready'));
  };
}
