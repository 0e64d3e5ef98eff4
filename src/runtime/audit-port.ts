/** What the API and the command line ask of the audit of a running system. */
export interface AuditPort {
  /** Signs what is new, and asks the witness. @throws RuntimeError as `takeCheckpoint` */
  checkpoint(): Promise<CheckpointReport>;
}

export interface CheckpointReport {
  /** Records that the newest checkpoint covers. */
  readonly size: number;
  /** Root of their tree, hexadecimal. */
  readonly root: string;
  /** Whether it was signed now; without new records the last one stands. */
  readonly taken: boolean;
  /** The signed note, with cosignatures; null while the journal is empty. */
  readonly note: string | null;
  /** What the witness said; null without one. */
  readonly witness: WitnessAnswer | null;
}

export interface WitnessAnswer {
  readonly cosigned: boolean;
  /** Why not. */
  readonly problem: { readonly code: string; readonly message: string } | null;
}
