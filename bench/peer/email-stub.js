// The bare runtime has no e-mail module; the SDK imports it and uses it only when it sends mail.
export class EmailMessage {}
