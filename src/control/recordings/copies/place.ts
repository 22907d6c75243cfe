/** Where sealed bytes are kept a second time, under the hex SHA-256 of them. What is there stays there until it is removed. */
export interface CopyPlace {
  readonly name: string;
  has(hash: string): Promise<boolean>;
  /** Durable when it resolves; keeping the same bytes again changes nothing. */
  keep(hash: string, bytes: Uint8Array): Promise<void>;
  /** As they were read: who asks compares them with the hash. */
  read(hash: string): Promise<Buffer | undefined>;
  /** What is not there is removed already. */
  remove(hash: string): Promise<void>;
}
