/**
 * The little that is read of descriptions; all else of them is the browser's.
 * @module
 */

/** What an offer changes, as text to be compared; empty: nothing. @param {string} [offer] @param {string} [current] */
export function difference(offer = '', current = '') {
  const before = sections(current)
  const after = sections(offer)
  const lines = after.map(({ ufrag, about }, index) => `${about} ${index < before.length && before[index].ufrag !== ufrag && ufrag ? 'restarted' : ''}`)
  return lines.join('\n') === before.map(({ about }) => `${about} `).join('\n') ? '' : lines.join('\n')
}

/** Does a picture of it show a screen? XEP-0507, RFC 4796 @param {string} [sdp] */
export const showsSlides = (sdp) => sections(sdp).some(({ about, content }) => about.startsWith('video') && /\bslides\b/.test(content))

function sections(sdp = '') {
  return sdp.split(/^m=/m).slice(1).map((text) => {
    const rejected = /^\S+ 0 /.test(text) && !/^a=bundle-only/m.test(text)
    const value = (/** @type {RegExp} */ pattern) => (rejected ? '' : pattern.exec(text)?.[1] ?? '')
    const parts = [text.split(' ', 1)[0], rejected, value(/^a=(sendrecv|sendonly|recvonly|inactive)/m), value(/^a=msid:(.*?)\r?$/m)]
    return { ufrag: value(/^a=ice-ufrag:(\S+)/m), content: value(/^a=content:(\S+)/m), about: parts.join(' ') }
  })
}
