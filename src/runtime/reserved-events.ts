/**
 * Events of the audit that main alone journals, because rights come of them. Other threads
 * run code for agents: one that was taken over must not make itself an operator.
 */
const reserved =
  /^(?:security-state$|keys?-|grant-|approval-|authority-opened$|quarantine-released$)/;

/** Whether no thread but main may journal an event of this type. */
export function isReservedEvent(type: string): boolean {
  return reserved.test(type);
}
