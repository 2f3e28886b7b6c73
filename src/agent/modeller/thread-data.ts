/** Data that the agent gives to the thread of the modellers. */
export interface ModellerThreadData {
  /** Name of the Node. */
  node: string
  /** Folder of the recordings. */
  folder: string
}

export const modellerFamilyName = 'modeller'
