/** What the thread of the modellers is given. */
export interface ModellerThreadData {
  /** Name of the Node. */
  node: string
  /** Where recordings are kept. */
  folder: string
}

export const modellerFamilyName = 'modeller'
