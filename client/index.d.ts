/** Types of `jinglebridge.js`. The closed lists are those of the protocol `jinglebridge.v1`. */

export type EndReason =
  | 'ended' | 'cancelled' | 'declined' | 'busy' | 'no-answer' | 'elsewhere' | 'unreachable' | 'failed-ice'
  | 'failed-media' | 'insecure' | 'gone' | 'overload' | 'too-long' | 'moved' | 'failed'

/** What the bridge says. */
export type ErrorCode =
  | 'bad-frame' | 'too-big' | 'unknown-type' | 'bad-version' | 'hello-first' | 'not-authorized' | 'token-expired'
  | 'forbidden' | 'not-supported' | 'not-negotiable' | 'unknown-call' | 'duplicate-call' | 'unknown-contact'
  | 'out-of-order' | 'bad-description' | 'bad-candidate' | 'rate-limited' | 'unavailable' | 'draining' | 'internal'

/** What only a browser can know. */
export type LocalErrorCode =
  | 'offline' | 'closed' | 'bad-url' | 'insecure-context'
  | 'microphone-refused' | 'microphone-missing' | 'microphone-failed'
  | 'camera-refused' | 'camera-missing' | 'camera-failed' | 'camera-unwanted'
  /** Unplugged in the call, which goes on. */
  | 'microphone-lost' | 'camera-lost'
  /** `screen-refused`: also when the person chose none. */
  | 'screen-refused' | 'screen-missing' | 'screen-failed'

export type CallState =
  | 'preparing' | 'calling' | 'proceeding' | 'ringing' | 'incoming' | 'accepting' | 'accepted' | 'connecting'
  | 'connected' | 'reconnecting' | 'ended'

export type ConnectionState = 'connecting' | 'online' | 'reconnecting' | 'offline'

export class BridgeError extends Error {
  readonly code: ErrorCode | LocalErrorCode
  /** Of `not-negotiable`: what the peer does not take. */
  readonly what?: 'ice-restart' | 'add' | 'remove' | 'direction' | 'offer'
}

/** An event with a value, like CustomEvent. */
export interface BridgeEvent<T> extends Event {
  readonly detail: T
}

export interface Media {
  audio: boolean
  video: boolean
}

export interface Contact {
  jid: string
  name: string
  presence: 'available' | 'away' | 'dnd' | 'offline' | 'unknown'
  status: string
  /** What a call can carry, as far as known. */
  media: Media
  /** `pending-in`: they wait for approveContact() or denyContact(). */
  subscription: 'none' | 'to' | 'from' | 'both' | 'pending-out' | 'pending-in'
  /** Named by whoever let this person in: cannot be removed. */
  fixed: boolean
  blocked: boolean
}

export type Show = 'available' | 'away' | 'dnd'

/** Can the other side take this later on? False until known. */
export interface Abilities {
  bundle: boolean
  restart: boolean
  add: boolean
  modify: boolean
}

export interface Wanted {
  /** Default true; false: only listen. */
  audio?: boolean | MediaTrackConstraints
  /** Default false. */
  video?: boolean | MediaTrackConstraints
  /** Tracks of your own instead of microphone and camera; they are not stopped at the end. */
  stream?: MediaStream
  /** Hangs up, before as well as after the answer. `accept()` rejects with its reason. */
  signal?: AbortSignal
}

export interface Missed {
  from: string
  name: string
  media: Media
  /** RFC 3339, UTC. */
  at: string
}

/** A call that is over. */
export interface CallEntry {
  call: string
  with: string
  name: string
  direction: 'out' | 'in'
  media: Media
  /** When it began; RFC 3339, UTC. */
  at: string
  answered: boolean
  /** From the answer to the end. */
  seconds: number
  reason: EndReason
}

/** A call that the reload of the page ended. */
export interface Interrupted {
  call: string
  with: string
  name: string
  direction: 'out' | 'in'
  state: CallState
  media: Media
}

export interface Ended {
  reason: EndReason
  text: string
  error: BridgeError | null
}

/** To be given to `connect()` by the next load of the same page; it is JSON. */
export interface Resume {
  secret: string
  lastSeq: number
  calls: Interrupted[]
}

/** As much of a WebSocket as a session needs. */
export interface Transport {
  onopen: (() => void) | null
  onmessage: ((event: { data: string }) => void) | null
  onclose: ((event: { code: number }) => void) | null
  send(frame: string): void
  close(): void
}

export interface Options {
  /** Of the bridge's site or of its WebSocket (`…/ws`; `…/stream` is used where no WebSocket opens); default: where this module came from. */
  url?: string | URL
  /** A function is asked whenever a fresh token is needed. TypeError (fetch without network) is tried again. */
  token?: string | (() => string | Promise<string>)
  code?: string
  device?: string
  /** Instead of the WebSocket, where that says who this is: docs/how-to/xmpp-page.md has one for strophe.js. */
  transport?: () => Transport
  name?: string
  video?: boolean
  resume?: Resume | null
  /** Gives up connecting, or closes the session later. */
  signal?: AbortSignal
}

interface CallEvents {
  state: BridgeEvent<{ state: CallState }>
  ended: BridgeEvent<Ended>
  /**
   * This call goes on as that one, with the same microphone and camera, and needs no accept(): show it instead. `ended` with
   * `moved` follows. A call without a listener for this ends, and the other one rings as `incoming`.
   */
  moved: BridgeEvent<Call>
  abilities: BridgeEvent<undefined>
  hold: BridgeEvent<{ held: boolean; remoteHeld: boolean }>
  /** localStream, remoteStream, screenStream or cameraOn changed. */
  streams: BridgeEvent<undefined>
  mute: BridgeEvent<{ kind: 'local' | 'remote'; muted: boolean; cameraOff?: boolean }>
  /** Something did not work and the call goes on, for example `camera-refused` or `microphone-lost`. */
  problem: BridgeEvent<BridgeError>
}

export class Call extends EventTarget {
  private constructor()
  readonly id: string
  readonly direction: 'out' | 'in'
  readonly peer: string
  readonly name: string
  readonly media: Media
  readonly state: CallState
  readonly abilities: Abilities
  readonly muted: boolean
  readonly remoteMuted: boolean
  readonly cameraOn: boolean
  /** False: `camera(true)` can do nothing, because the other side takes no video from here. */
  readonly cameraPossible: boolean
  readonly remoteCameraOff: boolean
  /** We hold: nothing of the other side is heard or seen, and nothing of ours. */
  readonly held: boolean
  /** The other side holds: it takes nothing. */
  readonly remoteHeld: boolean
  readonly sharing: boolean
  /** The picture of the other side is a screen, as far as it says so; changes with `streams`. */
  readonly remoteSharing: boolean
  /** False: `shareScreen(true)` can do nothing, because of the other side or the browser. */
  readonly screenPossible: boolean
  /** False: `dtmf()` can do nothing. */
  readonly dtmfPossible: boolean
  readonly localStream: MediaStream | null
  /** What is sent instead of the camera while `sharing`. */
  readonly screenStream: MediaStream | null
  /** Null before the first track; another object when one is added, told by `streams`. */
  readonly remoteStream: MediaStream | null
  /** Null until microphone, camera and ICE servers are there. */
  readonly peerConnection: RTCPeerConnection | null
  /** Date.now() of when media first flowed; of the call before, if this one goes on with it. */
  readonly connectedAt: number | null
  readonly ended: boolean
  readonly reason: EndReason | null
  readonly text: string
  readonly error: BridgeError | null
  /** Rejects with `microphone-…` while the call goes on ringing. Without a camera a video call is taken all the same. */
  accept(wanted?: Wanted): Promise<void>
  reject(options?: { busy?: boolean }): void
  hangUp(): void
  mute(on?: boolean): void
  camera(on?: boolean): Promise<void>
  /** Instead of the camera; ends also when the person ends it in the browser. */
  shareScreen(on?: boolean): Promise<void>
  /** As `enumerateDevices()` has them; nothing is negotiated. A camera that is off is opened by the next `camera(true)`. */
  switchDevice(ids: { audioinput?: string; videoinput?: string }): Promise<void>
  hold(on?: boolean): Promise<void>
  /** Keys of a telephone: 0 to 9, A to D, #, *; a comma is a pause. Throws `not-supported`. */
  dtmf(tones: string): void
  addEventListener<K extends keyof CallEvents>(type: K, listener: (event: CallEvents[K]) => void, options?: boolean | AddEventListenerOptions): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
}

interface BridgeEvents {
  incoming: BridgeEvent<Call>
  interrupted: BridgeEvent<Interrupted>
  contacts: BridgeEvent<Contact[]>
  contact: BridgeEvent<Contact & { removed: boolean }>
  /** Another page of this person changed it. */
  presence: BridgeEvent<{ show: Show; status: string }>
  missed: BridgeEvent<Missed>
  /** `error`: why the last attempt failed, or why it is over. `retryIn`: seconds until the next one. */
  connection: BridgeEvent<{ state: ConnectionState; error?: BridgeError; retryIn?: number }>
  draining: BridgeEvent<undefined>
}

export class Bridge extends EventTarget {
  constructor(options: Options)
  /** `connect()` does this; call it yourself to listen to events before. */
  open(): Promise<void>
  readonly jid: string
  readonly name: string
  readonly contacts: Contact[]
  readonly features: string[]
  /** Plain sentences for the person. */
  readonly warnings: string[]
  /** Those that have not ended; after `connect()` a call may ring here already. */
  readonly calls: Call[]
  readonly state: ConnectionState
  readonly resume: Resume | null
  /** What others see of this page. */
  readonly show: Show
  readonly status: string
  call(jid: string, wanted?: Wanted): Call
  /** Asks to see somebody, who decides; also gives a contact another name. */
  addContact(jid: string, name?: string): Promise<unknown>
  removeContact(jid: string): Promise<unknown>
  /** Lets somebody see this person, and makes them a contact; also before they ask. */
  approveContact(jid: string): Promise<unknown>
  denyContact(jid: string): Promise<unknown>
  /** An address or a domain. */
  blockContact(jid: string): Promise<unknown>
  unblockContact(jid: string): Promise<unknown>
  /** `dnd` holds for all pages of this person, and then none of them rings. */
  setPresence(show: Show, status?: string): Promise<void>
  /** PNG, JPEG or WebP of at most 32 KiB; null: none. */
  setAvatar(picture: Blob | null): Promise<unknown>
  /** Calls that are over, the latest first. `before`: `at` of the last entry that you have. */
  history(page?: { before?: string; limit?: number }): Promise<{ calls: CallEntry[]; more: boolean }>
  /** Any other request of the protocol. */
  request(type: string, fields?: object): Promise<unknown>
  close(): void
  addEventListener<K extends keyof BridgeEvents>(type: K, listener: (event: BridgeEvents[K]) => void, options?: boolean | AddEventListenerOptions): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
}

/** Rejects when the bridge says no. Goes on trying while nobody answers (the console tells it once) until `signal` aborts, with whose reason it rejects. */
export function connect(options: Options): Promise<Bridge>
