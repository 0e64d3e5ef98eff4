/** What a verification of the audit finds wrong, and where. */
import { limits } from '../kernel/limits.ts';

export interface AuditFault {
  /** The file, from the data directory on, or the path of the witness's. */
  readonly file: string;
  /** Offset in the file, where it is known. */
  readonly offset: number | null;
  /** The first and the last record that it concerns; null where it concerns none. */
  readonly records: { readonly from: number; readonly to: number } | null;
  /** One clause, for people. */
  readonly what: string;
}

/** Faults in the order in which they are found, bounded. */
export class AuditFaults {
  readonly all: AuditFault[] = [];
  /** How many more there were. */
  more = 0;

  add(fault: AuditFault): void {
    if (this.all.length < limits.auditFaultsMax) this.all.push(fault);
    else this.more += 1;
  }

  /** A whole file. */
  file(file: string, what: string): void {
    this.add({ file, offset: null, records: null, what });
  }

  get none(): boolean {
    return this.all.length === 0;
  }
}
