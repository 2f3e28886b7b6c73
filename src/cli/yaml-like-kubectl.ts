import type { DocumentOptions, ParseOptions, ScalarTag, SchemaOptions, Tags } from 'yaml'

const yes = /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/
const no = /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/

/** kubectl's YAML 1.1 booleans: `on` is true, even in a text field. */
const bool: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: new RegExp(`${yes.source}|${no.source}`),
  resolve: (text) => yes.test(text),
}

/** `0100` is octal for kubectl, and a hundred in YAML 1.2: a costly mistake in a chmod rule. */
const octal: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^[-+]?0[0-7]+$/,
  resolve: (text) => Number.parseInt(text, 8),
}

const binary: ScalarTag = {
  tag: 'tag:yaml.org,2002:int',
  default: true,
  test: /^0b[01]+$/,
  resolve: (text) => Number.parseInt(text.slice(2), 2),
}

/**
 * YAML as kubectl reads it, so that a policy means the same here as in a cluster: YAML 1.2 with the booleans, octal
 * numbers and merge keys of 1.1 (sigs.k8s.io/yaml, goyaml.v2 resolve.go). A repeated key is an error.
 */
export const likeKubectl: ParseOptions & DocumentOptions & SchemaOptions = {
  version: '1.2',
  merge: true,
  // The library compares each key with all others; see `shapeOf`.
  uniqueKeys: false,
  strict: true,
  prettyErrors: false,
  customTags: (tags: Tags) => [bool, octal, binary, ...tags],
}
