/** Commit messages: `area: what` in 72 characters, then a body that says why. */
export default {
  parserPreset: {
    parserOpts: {
      headerPattern: /^([a-z0-9][a-z0-9/-]*(?:, [a-z0-9][a-z0-9/-]*)*): (\S.*)$/,
      headerCorrespondence: ['type', 'subject'],
    },
  },
  rules: {
    'type-empty': [2, 'never'],
    'subject-empty': [2, 'never'],
    'header-max-length': [2, 'always', 72],
    'body-leading-blank': [2, 'always'],
    'body-empty': [2, 'never'],
  },
}
