/**
 * Pairs of letters that are common in English words and names of programs: about a quarter of all possible pairs, and
 * nine tenths of the pairs in words. Random letters contain them only by chance.
 */
const common =
  'ab ac ad ag ai ak al am an ap ar as at au av aw ay ba be bi bl bo br bu by ca ce ch ci ck cl co cr ct cu da db de di do dr ds du ' +
  'ea ec ed ee ef el em en ep er es et ev ex ey fa fe ff fi fo fr ft fu ga ge gh gi gl go gr gs ha he hi ho hr ht ia ib ic id ie if ' +
  'ig il im in io ip ir is it iv ix ke ki ks la ld le li ll lo ls lt lu ly ma mb me mi mm mo mp ms mu na nc nd ne nf ng ni nk nl nn ' +
  'no ns nt nu ob oc od of og ok ol om on oo op or os ot ou ov ow pa pe ph pi pk pl po pp pr ps pt pu qu ra rc rd re rg ri rk rl rm ' +
  'rn ro rr rs rt ru rv ry sa sc se sh si sk sl sm so sp sq ss st su sw sy ta tc te th ti tl to tr ts tt tu ty ub uc ud ue ui ul um ' +
  'un up ur us ut va ve vi vo wa we wi wn wo wr xt ys ze'

const pairs: ReadonlySet<string> = new Set(common.split(' '))

/** The share of common pairs among the pairs of neighbouring letters: near 1 for words, low for random letters. */
export function wordlike(letters: string): number {
  const lower = letters.toLowerCase()
  if (lower.length < 2) return 1
  let known = 0
  for (let i = 1; i < lower.length; i++) if (pairs.has(lower.slice(i - 1, i + 1))) known += 1
  return known / (lower.length - 1)
}

function kindOf(code: number): number {
  if (code <= 0x39) return 0
  return code <= 0x5a ? 1 : 2
}

/** How often digits, capitals and small letters alternate. A capital at the beginning of a word does not count. */
function turnsOf(token: string): number {
  let turns = 0
  for (let i = 1; i < token.length; i++) {
    const [before, now] = [kindOf(token.charCodeAt(i - 1)), kindOf(token.charCodeAt(i))]
    const next = i + 1 < token.length ? kindOf(token.charCodeAt(i + 1)) : now
    const isCapital = now === 1 && before === 2 && next === 2
    if (before !== now && !isCapital && !(before === 1 && now === 2)) turns += 1
  }
  return turns
}

/** Texts shorter than this count as random only in directories for temporary files. */
const LONG = 10

/**
 * Whether letters and digits look random: kinds of characters alternate, or pairs of letters are uncommon in words.
 * @param temporary whether the directory is for temporary files
 */
export function looksRandom(token: string, temporary: boolean): boolean {
  const { length } = token
  if (length < (temporary ? 6 : LONG)) return false
  const turns = turnsOf(token)
  const letters = token.replace(/[0-9]+/g, '')
  const digits = length - letters.length
  if (turns >= Math.max(temporary ? 2 : 4, length / 3)) return true
  if (digits > 0 && letters.length > 0 && turns >= length / 5 && wordlike(letters) < 0.5) return true
  if (length > 3 * LONG) return turns >= 4 || wordlike(letters) < 0.6
  return letters.length >= 6 && wordlike(letters) < (temporary ? 0.5 : 0.3)
}
