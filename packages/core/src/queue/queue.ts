export class Queue {}
