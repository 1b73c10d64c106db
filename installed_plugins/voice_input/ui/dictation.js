/** The browser's speech recognition as one value that changes. Knows nothing of React or the studio. */

const IDLE = { status: "idle", interim: "", problem: null };

const NO_BROWSER = {
  title: "This browser cannot take dictation",
  help: "Speech recognition is built into Chrome, Edge and Safari. Many phones also have a microphone on their keyboard.",
  final: true,
};
const NOT_SECURE = {
  title: "Dictation needs a secure address",
  help: "Browsers lend the microphone only to pages on https:// or localhost. Ask your operator for such an address.",
  final: true,
};

/** What the browser's error codes mean for the one who speaks. */
const PROBLEMS = {
  "not-allowed": {
    title: "The microphone is not allowed here",
    help: "Allow it in the browser: the sign left of the address, then Microphone. Then try again.",
  },
  "service-not-allowed": {
    title: "This browser does not allow speech recognition here",
    help: "It is switched off in the browser's or the device's settings.",
  },
  "audio-capture": {
    title: "No microphone was found",
    help: "Connect one, or choose it in the system's sound settings. Then try again.",
  },
  network: {
    title: "The speech service did not answer",
    help: "Most browsers send the sound to a service on the internet. Check the connection, then try again.",
  },
  "language-not-supported": {
    title: "This language is not understood here",
    help: "Choose another one beside the microphone.",
  },
  "no-speech": { title: "Nothing was heard", help: "Speak a little louder, or check that the right microphone is in use." },
};

export class Dictation {
  #window;
  #onWords;
  #recognition;
  #state;
  #listeners = new Set();

  constructor(window, onWords) {
    this.#window = window;
    this.#onWords = onWords;
    this.#state = this.#missing() ? { ...IDLE, status: "unsupported" } : IDLE;
  }

  get = () => this.#state;

  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start({ language, interim, continuous }) {
    const missing = this.#missing();
    if (missing) return this.#set({ status: "unsupported", problem: missing });
    this.abort();
    const recognition = new (this.#recognizer())();
    Object.assign(recognition, { lang: language, interimResults: interim, continuous });
    this.#listen(recognition);
    this.#recognition = recognition;
    this.#set({ status: "starting", interim: "", problem: null });
    try {
      recognition.start();
    } catch (error) {
      this.#fail({ title: "Dictation did not start", help: error.message });
    }
  }

  /** What was said until now is still written. */
  stop() {
    this.#recognition?.stop();
  }

  /** Nothing more is written. */
  abort() {
    const recognition = this.#recognition;
    this.#recognition = undefined;
    recognition?.abort();
    if (recognition) this.#set(IDLE);
  }

  forget = () => {
    if (this.#state.problem) this.#set({ problem: null });
  };

  #recognizer() {
    return this.#window.SpeechRecognition ?? this.#window.webkitSpeechRecognition;
  }

  #missing() {
    if (this.#window.isSecureContext === false) return NOT_SECURE;
    return this.#recognizer() ? null : NO_BROWSER;
  }

  #listen(recognition) {
    const current = (work) => (event) => {
      if (this.#recognition === recognition) work(event);
    };
    recognition.onstart = current(() => this.#set({ status: "listening" }));
    recognition.onresult = current((event) => this.#hear(event));
    recognition.onerror = current(({ error, message }) => this.#error(error, message));
    recognition.onend = current(() => {
      this.#recognition = undefined;
      this.#set({ status: "idle", interim: "" });
    });
  }

  #hear({ results, resultIndex }) {
    const fresh = [...results].slice(resultIndex);
    const said = fresh.filter((result) => result.isFinal).map((result) => result[0].transcript).join("");
    const interim = fresh.filter((result) => !result.isFinal).map((result) => result[0].transcript).join("");
    if (said.trim()) this.#onWords(said);
    this.#set({ status: "listening", interim });
  }

  #error(code, message) {
    if (code === "aborted") return;
    this.#fail(PROBLEMS[code] ?? { title: "Dictation stopped", help: message || `The browser says: ${code}.` });
  }

  #fail(problem) {
    this.#recognition = undefined;
    this.#set({ status: "idle", interim: "", problem });
  }

  #set(change) {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}
