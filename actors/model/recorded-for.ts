/** Label of a model: which recording it is made of (`recordingOf`). */
export const RECORDED_FOR = 'varmor.org/recording'
