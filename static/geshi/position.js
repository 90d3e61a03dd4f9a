// Where the phone is, and why it cannot be told. Words: the data-text-* of the line that says it.
/** Tells in `where` how it goes; answers `found(coords)`, or `failed(why)` in the reader's words. */
export function locate(where, found, failed) {
  const words = where.dataset;
  if (!navigator.geolocation || !window.isSecureContext) { failed(words.textInsecure); return; }
  where.textContent = words.textLooking;
  navigator.geolocation.getCurrentPosition(({ coords }) => found(coords), ({ code }) => {
    failed({ 1: words.textDenied, 3: words.textTimeout }[code] || words.textUnavailable);
  }, { enableHighAccuracy: true, timeout: 15000, maximumAge: 30000 });
}
