/**
 * Every sentence that the page says about calls, contacts and failures. No name of a person is trusted: they end up in
 * `textContent` only.
 * @module
 */

/**
 * How a call ended. @type {Record<string, (call: {name: string, direction: string, talked: boolean}) => string>}
 * The keys are END_REASONS of jinglebridge/calls/reasons.py; a test compares them.
 */
export const ENDED = {
  ended: ({ name }) => `Call with ${name} ended.`,
  cancelled: ({ name, direction }) => direction === 'out' ? 'You cancelled the call.' : `${name} stopped calling.`,
  declined: ({ name, direction }) => direction === 'out' ? `${name} declined the call.` : `You declined the call from ${name}.`,
  busy: ({ name, direction }) => direction === 'out' ? `${name} is in another call.` : `${name} called while you were busy.`,
  'no-answer': ({ name, direction }) => direction === 'out' ? `${name} did not answer.` : `You missed a call from ${name}.`,
  elsewhere: () => 'The call was answered on another device or page.',
  unreachable: ({ name }) => `${name} cannot be reached at the moment.`,
  'failed-ice': ({ name, talked }) => talked ? `The connection to ${name} broke.` : `No connection to ${name} could be made. A firewall on either side may be in the way.`,
  'failed-media': ({ name }) => `Sound or picture between this browser and ${name} could not be set up.`,
  insecure: () => 'The call was stopped because it would not have been safely encrypted.',
  gone: ({ name }) => `The call was lost: ${name} or the connection has gone away.`,
  overload: () => 'Too many calls at the moment. Try again in a minute.',
  'too-long': () => 'The call reached the longest time that a call may take here. You can call again.',
  moved: ({ name }) => `${name} moved the call to another device.`,
  failed: () => 'The call failed.',
}

/** What is wrong on this side, by the code of a BridgeError. @type {Record<string, string>} */
export const PROBLEMS = {
  'microphone-refused': 'The browser does not let this page use your microphone. Allow it in the address bar, then try again.',
  'microphone-missing': 'No microphone was found. Plug one in, then try again.',
  'microphone-failed': 'Your microphone could not be opened. Another program may be using it.',
  'camera-refused': 'The browser does not let this page use your camera. They can hear you but not see you.',
  'camera-missing': 'No camera was found. They can hear you but not see you.',
  'camera-failed': 'Your camera could not be opened; another program may be using it. They can hear you but not see you.',
  'microphone-lost': 'Your microphone was unplugged, so they cannot hear you. Choose another one, or call again.',
  'camera-lost': 'Your camera was unplugged. The call goes on without it.',
  'screen-refused': 'No screen is shared: none was chosen, or the browser does not allow it.',
  'screen-missing': 'There is no screen that could be shared.',
  'screen-failed': 'The screen could not be shared.',
  'insecure-context': 'Browsers open microphone and camera on https pages only. Open this page with https.',
  'not-supported': 'This call cannot take your video. Hang up and make a video call instead.',
  'camera-unwanted': 'The other side takes no video in this call, so your camera was turned off.',
  'not-negotiable': 'The other side does not take this change. The call goes on as before.',
  'not-negotiable add': 'The other side does not take your video in this call. The call goes on as before.',
  'not-negotiable direction': 'The other side does not take your video in this call. The call goes on as before.',
  forbidden: 'You may not call this address from here.',
  'unknown-contact': 'This is not an address that can be called.',
  unavailable: 'The bridge has no connection to the chat server at the moment. Try again in a minute.',
  draining: 'The bridge is being restarted. Try again in a minute.',
  'rate-limited': 'You made many calls in a short time. Wait a minute.',
}

/**
 * @param {{code?: string, what?: string, message: string}} error
 * @returns {string}
 */
export const problem = ({ code = '', what, message }) => PROBLEMS[`${code} ${what}`] ?? PROBLEMS[code] ?? DOORSTEP[code] ?? sentence(message)

/** @param {string} text of the bridge or the other side, perhaps half a sentence */
export const sentence = (text) => text && `${text[0].toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`

/** Why this page does not know who you are, by the code of a BridgeError. @type {Record<string, string>} */
export const DOORSTEP = {
  none: 'Open this page with the personal link that your site, or the operator of your chat server, gave you, or prove your chat address here.',
  'signed-out': 'This browser is signed out.',
  'token-expired': 'Your link has expired; links are good for a few minutes. Ask your site, or the operator of your chat server, for a new one.',
  'not-authorized': 'Your link is no longer valid. Ask your site, or the operator of your chat server, for a new one.',
  forbidden: 'Your link does not allow calls from here. Ask your site, or the operator of your chat server, for another one.',
  'bad-version': 'This page is out of date. Reload it; if that does not help, tell the operator.',
}

/**
 * Why a guest link does not let anybody call, by what `POST /link` says; `gone`: the link is good, this guest is not wanted any more.
 * `again`: it may be good later. @type {Record<string, {title: string, text: string, again?: boolean}>}
 */
export const LINK = {
  unknown: { title: 'This link does not work', text: 'It was taken back, or it is not complete. Ask the person who gave it to you for another one.' },
  expired: { title: 'This link has expired', text: 'Ask the person who gave it to you for a new one.' },
  spent: { title: 'This link was used', text: 'It was good for one call. Ask the person who gave it to you for a new one.' },
  busy: { title: 'Too many wrong links', text: 'Too many wrong links were opened from your network. Wait a minute, then try again.', again: true },
  unusable: { title: 'No calls at the moment', text: 'This service cannot connect guests at the moment. Try again later.', again: true },
  offline: { title: 'No connection', text: 'The service cannot be reached at the moment. Check your connection, then try again.', again: true },
  gone: { title: 'This call page was closed', text: 'The person you called has closed it.' },
}

/** What a guest reads of whether the other one is there; nothing, if that is not shown. @type {Record<string, string>} */
export const GUEST_PRESENCE = {
  available: 'Available now',
  away: 'Away',
  dnd: 'Busy',
  offline: 'Not available now',
}

export const GUEST = {
  title: (/** @type {string} */ name) => `Call ${name}`,
  name: 'Type your name first, so that they know who is calling.',
}

/** What `<jingle-call>` says. `error` by the code of a BridgeError, where the page would say something else. */
export const BUTTON = {
  call: (/** @type {string} */ name) => `Call ${name}`,
  answer: 'Answer',
  decline: 'Decline',
  hangUp: 'Hang up',
  mute: 'Mute',
  camera: 'Camera',
  retrying: 'The call service cannot be reached. Trying again…',
  /** @type {Record<string, (name: string) => string>} */
  presence: {
    available: (name) => `${name} is online`,
    away: (name) => `${name} is away`,
    dnd: (name) => `${name} is busy`,
    offline: (name) => `${name} is offline`,
  },
  /** @type {Record<string, string>} */
  error: {
    'not-authorized': 'You cannot call from here. Log in again, or reload the page.',
    'token-expired': 'You cannot call from here. Log in again, or reload the page.',
    forbidden: 'You may not call from here.',
  },
}

/** @param {{code?: string, message: string}} error of a `<jingle-call>` */
export const buttonProblem = (error) => BUTTON.error[error.code ?? ''] ?? problem(error)

/**
 * @param {any} call of a `<jingle-call>`, which has ended
 * @param {string} name
 */
export const buttonEnd = ({ error, reason, direction, connectedAt }, name) =>
  error ? buttonProblem(error) : (ENDED[reason] ?? ENDED.failed)({ name, direction, talked: connectedAt !== null })

/** What is said while somebody proves an address. `errors` by the code of an error frame. */
export const PROOF = {
  asked: (/** @type {string} */ jid) => `If ${jid} exists, a message is on its way there. Say yes to it in your chat program, or type the code that it holds.`,
  compare: 'The message must show:',
  wrong: (/** @type {number} */ left) => left > 0 ? `This is not the code. ${left === 1 ? 'One more try.' : `${left} more tries.`}` : 'This is not the code. Begin again with a new message.',
  over: 'Nobody said yes in time. You can ask for a new message.',
  unreachable: 'The bridge cannot be reached at the moment. Try again.',
  /** @type {Record<string, string>} */
  errors: {
    'bad-frame': 'This is not an address like name@example.org.',
    'unknown-contact': 'This is not an address like name@example.org.',
    'rate-limited': 'Too many messages were asked for. Wait an hour, or ask the operator of your chat server for a link.',
    unavailable: 'The bridge has no connection to the chat server at the moment. Try again in a minute.',
  },
}

export const REPLACE = 'This browser is signed in already. Sign in as the person of this link instead?'
export const SIGN_OUT = 'A call is going on. Hang up and sign out?'

export const DEVICES = {
  unnamed: 'A browser',
  current: 'This browser',
  used: (/** @type {string} */ day) => `Last used ${day}`,
  signOut: (/** @type {string} */ name) => `Sign out ${name}`,
  signedOut: (/** @type {string} */ name) => `${name} is signed out.`,
}

export const PICTURE = {
  done: 'Your contacts see the new picture.',
  failed: 'This file could not be used as a picture. Choose a PNG or JPEG file.',
}

/** @type {Record<string, string>} */
export const PRESENCE = {
  available: 'Online',
  away: 'Away',
  dnd: 'Do not disturb',
  offline: 'Offline',
  unknown: 'Presence not shared',
}

/** Of contacts and requests. `name` is never trusted. */
export const CONTACTS = {
  blocked: 'Blocked',
  asked: 'Has not answered yet',
  request: (/** @type {string} */ name) => `${name} wants to see when you are here, and to call you.`,
  allow: (/** @type {string} */ name) => `Allow ${name}`,
  refuse: (/** @type {string} */ name) => `Refuse ${name}`,
  more: (/** @type {string} */ name) => `More about ${name}`,
  remove: (/** @type {string} */ name) => `Remove ${name}`,
  block: (/** @type {string} */ name) => `Block ${name}`,
  unblock: (/** @type {string} */ name) => `Unblock ${name}`,
  added: (/** @type {string} */ name) => `${name} was asked. You see each other when they agree.`,
}

/** What the call view says in each state. @type {Record<string, string>} */
export const STATE = {
  preparing: 'Getting ready…',
  calling: 'Calling…',
  proceeding: 'Calling…',
  ringing: 'Ringing…',
  incoming: 'Incoming call',
  accepting: 'Answering…',
  accepted: 'Connecting…',
  connecting: 'Connecting…',
  connected: 'Connected',
  reconnecting: 'Weak connection. Reconnecting…',
  ended: '',
}

export const HOLD = {
  here: 'On hold. Neither of you hears the other.',
  there: (/** @type {string} */ name) => `${name} has put you on hold.`,
}

/** Of the buttons of the call, and what is read out when they were pressed. */
export const CONTROLS = {
  hold: 'Hold',
  resume: 'Resume',
  goesOn: 'The call goes on.',
  share: 'Share screen',
  unshare: 'Stop sharing',
  full: 'Full screen',
  small: 'Small again',
}

/** What the page finds out by itself. */
export const HINT = {
  silence: (/** @type {string} */ name) => `No sound arrives from ${name}.`,
  speaking: 'You are muted: nobody hears what you say.',
}

/** Where the browser does not name a device. */
export const SETUP = {
  audioinput: (/** @type {number} */ number) => `Microphone ${number}`,
  videoinput: (/** @type {number} */ number) => `Camera ${number}`,
  none: 'None found',
}

/**
 * @param {{relayed: boolean | null, roundTrip: number}} way
 * @param {number} loss 0 to 1
 */
export function quality({ relayed, roundTrip }, loss) {
  if (relayed === null) return ''
  const grade = loss > 0.08 || roundTrip > 500 ? 'Weak' : loss > 0.02 || roundTrip > 250 ? 'Fair' : 'Good'
  return `${grade} connection, ${relayed ? 'relayed' : 'direct'}: ${Math.round(roundTrip)} ms, ${Math.round(100 * loss)} % lost`
}

export const CONNECTION = {
  connecting: 'The bridge cannot be reached. Trying again…',
  reconnecting: 'Connection lost. Reconnecting…',
  duringCall: 'Connection lost. Reconnecting… Your call goes on meanwhile.',
  draining: 'The bridge is being restarted. Reconnecting…',
  drainingCall: 'The bridge is being restarted. Your call goes on meanwhile.',
}

/**
 * What the call view says of a call that goes on as another one.
 * @param {string} name
 * @param {boolean} talking false: both were calling
 */
export const moved = (name, talking) => (talking ? `${name} went on with another device.` : `${name} was calling you at the same time.`)

/** @param {string} name */
export const offline = (name) => `${name} looks offline. Ringing anyway — their phone may wake up.`

/**
 * @param {number} seconds
 * @returns {string} 0:07, 12:30, 1:02:03
 */
export function clock(seconds) {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60]
  const shown = parts[0] > 0 ? parts : parts.slice(1)
  return shown.map((part, index) => index === 0 ? String(part) : String(part).padStart(2, '0')).join(':')
}

/**
 * What became of a call.
 * @param {{direction: string, answered: boolean, seconds: number, reason: string, media: {video: boolean}}} entry
 * @param {boolean} missed
 */
export function lasted({ direction, answered, seconds, reason, media }, missed) {
  const kind = media.video ? 'video call' : 'call'
  if (missed) return `Missed ${kind}`
  if (answered) return `${direction === 'out' ? 'Outgoing' : 'Incoming'} ${kind}, ${clock(seconds)}`
  if (direction === 'in') return `Declined ${kind}`
  return `Outgoing ${kind}, ${reason === 'declined' ? 'declined' : 'not answered'}`
}

/**
 * @param {Date} at
 * @param {Date} now
 * @returns {string} the time of today, the day of others
 */
export function moment(at, now) {
  const today = at.toDateString() === now.toDateString()
  return at.toLocaleString([], today ? { hour: '2-digit', minute: '2-digit' } : { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' })
}

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
export function initials(name) {
  const words = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean)
  return words.slice(0, name.includes('@') ? 1 : 2).map((word) => [...word][0]).join('').toUpperCase() || '?'
}

/**
 * @param {string} jid
 * @returns {string} one of eight colours, always the same for a person; "0" to "7"
 */
export function hue(jid) {
  let sum = 0
  for (const letter of jid.split('/')[0]) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 65521
  return String(sum % 8)
}
